"""docker-machine's own store: whose hosts are in it, and the command that registers each of them here.

It is read and never written. What stands in it may be of any making: what is not understood is passed over.
"""

from __future__ import annotations

import json
import os
import shlex
from typing import TYPE_CHECKING, Any

from machinectl import url as engine_url
from machinectl.atomic import read_file
from machinectl.errors import MachineError
from machinectl.machines.record import is_name, natural

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CLIENT_FILES = ("ca.pem", "cert.pem", "key.pem")
# Those of docker-machine's generic driver by their fields, with what each is where nothing was said.
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
    """The commands that register the hosts in a store, a machine each, by name; none of them changes a host."""
    try:
        names = sorted(filter(is_name, os.listdir(os.path.join(root, "machines"))), key=natural)
    except OSError:
        return []
    return [command for name in names for command in registration(root, name)]


def registration(root: str, name: str) -> Iterator[str]:
    """The command for one machine, where its record says enough."""
    driver = driver_of(os.path.join(root, "machines", name))
    words = generic(driver) if driver.get("DriverName") == "generic" else none(driver)
    if words:
        tls = certificates(root, name)
        yield shlex.join(["machinectl", "create", *words, *(["--tls-dir", tls] if tls else []), name])


def driver_of(directory: str) -> Mapping[str, str]:
    """What a config.json says of its driver that is a text or a number in one line, and the driver's name."""
    try:
        found: Any = json.loads(read_file(os.path.join(directory, "config.json")))
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


def none(driver: Mapping[str, str]) -> list[str]:
    """What registers an engine by its URL; that of most drivers is where docker-machine had put it."""
    address = driver.get("IPAddress", "")
    url = driver.get("URL") or (f"tcp://{f'[{address}]' if ':' in address else address}:2376" if address else "")
    try:
        engine_url.parse(url)
    except MachineError:
        return []
    return ["-d", "none", "--url", url]


def certificates(root: str, name: str) -> str:
    """The directory of what opens a machine: its own, else that of the store; "" where neither has it all."""
    for directory in (os.path.join(root, "machines", name), os.path.join(root, "certs")):
        if all(os.path.isfile(os.path.join(directory, file)) for file in CLIENT_FILES):
            return directory
    return ""
