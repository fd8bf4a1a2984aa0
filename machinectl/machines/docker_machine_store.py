"""Machines that docker-machine keeps (libmachine/host/host.go): read for what a person types to have them here."""

from __future__ import annotations

import json
import os
import shlex
from typing import TYPE_CHECKING, Any

from machinectl import url as engine_url
from machinectl.atomic import quoted, read_file
from machinectl.errors import MachineError
from machinectl.machines.record import is_name, natural

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RECORD = "config.json"
# Its records have a few thousand bytes.
LONGEST = 1 << 20
CLIENT = ("ca.pem", "cert.pem", "key.pem")

# Options of the generic driver by docker-machine's fields for them, with what each is where nothing was said.
GENERIC = {
    "SSHUser": ("--generic-ssh-user", "root"),
    "SSHPort": ("--generic-ssh-port", "22"),
    "SSHKeyPath": ("--generic-ssh-key", ""),
    "EnginePort": ("--generic-engine-port", "2376"),
}


def default_root() -> str:
    """Where docker-machine keeps its machines where nothing else is said."""
    return os.path.expanduser("~/.docker/machine")


def registrations(root: str) -> list[str]:
    """The whole commands that register the hosts in a store here, by name; none of them changes a host.

    A machine whose record says too little has none.
    """
    machines = os.path.join(root, "machines")
    try:
        names = sorted(filter(is_name, os.listdir(machines)), key=natural)
    except OSError:
        return []
    return [command for name in names for command in registration(os.path.join(machines, name), name)]


def registration(directory: str, name: str) -> Iterator[str]:
    driver = driver_of(directory)
    words = generic(driver) if driver.get("DriverName") == "generic" else none(directory)
    files = certificates(directory)
    tls = ["--tls-dir", files] if all(os.path.exists(os.path.join(files, file)) for file in CLIENT) else []
    if words:
        yield shlex.join(["machinectl", "create", *words, *tls, name])


def driver_of(directory: str) -> Mapping[str, str]:
    """What a record says of its driver that is a text or a number in one line, and the driver's name."""
    try:
        found: Any = json.loads(read_file(os.path.join(directory, RECORD), LONGEST))
        fields = {**found["Driver"], "DriverName": found["DriverName"]}
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        return {}
    texts = {key: str(value) for key, value in fields.items() if isinstance(value, str | int)}
    return {key: text for key, text in texts.items() if text and text.isprintable()}


def generic(driver: Mapping[str, str]) -> list[str]:
    if "IPAddress" not in driver:
        return []
    given = [
        word
        for field, (flag, default) in GENERIC.items()
        if driver.get(field, default) not in {default, "0"}
        for word in (flag, driver[field])
    ]
    return ["-d", "generic", "--no-provision", "--generic-ip-address", driver["IPAddress"], *given]


def none(directory: str) -> list[str]:
    url = url_of(directory)
    return ["-d", "none", "--url", url] if url.isprintable() and url else []


def registering(directory: str) -> str:
    """The command that registers one of its machines here, by another name; what it does not say is left open."""
    for command in registration(directory, ""):
        return f"{command.removesuffix(shlex.quote('')).rstrip()} <NEW-NAME>"
    url = url_of(directory)
    url, files = quoted(url) if url else "<URL>", quoted(certificates(directory))
    return f"machinectl create -d none --url {url} --tls-dir {files} <NEW-NAME>"


def url_of(directory: str) -> str:
    """Where the engine is, "" where the record does not say, or says what is none."""
    try:
        said: Any = json.loads(read_file(os.path.join(directory, RECORD), LONGEST))["Driver"]
        host = str(said.get("URL") or said.get("IPAddress") or "")
        return str(engine_url.parse(engine_url.with_port(host if "://" in host else f"tcp://{host}", tls=True)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, MachineError):
        return ""


def certificates(directory: str) -> str:
    """Where its client's certificates are: with the machine, or with its store, as its driver none has it."""
    if all(os.path.exists(os.path.join(directory, name)) for name in CLIENT):
        return directory
    return os.path.join(os.path.dirname(os.path.dirname(directory)), "certs")
