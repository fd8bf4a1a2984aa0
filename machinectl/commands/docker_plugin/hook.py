"""Explain a docker command that failed on one of our machines, in one line, from files here only."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.files.atomic import read_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from machinectl.docker_cli.contexts import Context, Contexts
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

# The engine answered, so its own error is enough.
ANSWERED = "Error response from daemon"
# Errors of docker's client if no engine answered (moby/moby client/errors.go, and Go's net).
SILENT = (
    "annot connect to the Docker daemon",
    "failed to connect to the docker API",
    "error during connect",
    "dial tcp",
    "deadline exceeded",
)
# Go's crypto/tls and crypto/x509: something answered.
TLS_FAILED = ("x509:", "tls:")
URL = re.compile(r"(?:tcp|unix|ssh|https?)://[^\s\"'`]+")
# How docker's client names an engine behind a socket or ssh.
NO_HOSTS = ("docker.example.com", "api.moby.localhost", "localhost", "%2F")
CERTIFICATES = {
    "cert.pem": "Your certificate for",
    "ca.pem": "The CA of",
    "server.pem": "The certificate of",
}


def docker_plugin_hook(
    store: Store, failure: str, environment: Mapping[str, str], *, now: datetime | None = None
) -> str:
    """Return a line about a failed docker command; "" if nothing is known.

    `failure` is docker's error, as far as it tells its plugins; for a plugin's commands, only that it failed.
    """
    if ANSWERED in failure:
        return ""
    used = named_in(failure) or environment.get("DOCKER_HOST", "") or current(environment)
    machine = meant(store, used, environment)
    if machine is None:
        return ""
    if machine.url != used:
        return moved(machine, used, environment)
    return expired(machine, failure, now or datetime.now(UTC)) or asleep(machine, failure)


def named_in(failure: str) -> str:
    """Return the engine in docker's error, in docker's notation; "" if there is none."""
    found = URL.search(failure)
    if not found:
        return ""
    scheme, _, rest = found[0].partition("://")
    if scheme not in {"http", "https"}:
        return found[0].rstrip(".,:;")
    host = rest.partition("/")[0]
    return "" if host.startswith(NO_HOSTS) else f"tcp://{host}"


def current(environment: Mapping[str, str]) -> str:
    """Return the engine of docker's current context; "" if unknown."""
    docker = contexts(environment)
    context = read(docker, docker.current(environment).name)
    return context.host if context else ""


def contexts(environment: Mapping[str, str]) -> Contexts:
    # Loads in 15 ms, so only if needed.
    from machinectl.docker_cli.contexts import Contexts

    return Contexts(environment.get("DOCKER_CONFIG", ""))


def read(docker: Contexts, name: str) -> Context | None:
    try:
        return docker.read(name)
    except MachineError:
        return None


def meant(store: Store, used: str, environment: Mapping[str, str]) -> Machine | None:
    """Return the machine of a URL, else the one that had it when docker was pointed there."""
    if not used:
        return None
    by_shell = list(machines_of(store, of_shell(store, used, environment)))
    # The current machine first: with a thousand machines, the other records need not be read.
    there = chain(by_shell, machines_of(store, store.names()))
    found = next((machine for machine in there if machine.url == used), None)
    return found or next(chain(by_shell, machines_of(store, of_contexts(store, used, environment))), None)


def of_shell(store: Store, used: str, environment: Mapping[str, str]) -> list[str]:
    """Return the machines at which `env` pointed this shell, with that URL."""
    if environment.get("DOCKER_HOST") != used:
        return []
    directory, own = os.path.split(environment.get("DOCKER_CERT_PATH", ""))
    names = [environment.get("DOCKER_MACHINE_NAME", ""), own if directory == store.machines else ""]
    return [name for name in names if name]


def of_contexts(store: Store, used: str, environment: Mapping[str, str]) -> Iterator[str]:
    """Return the machines whose contexts have that URL."""
    docker, here = contexts(environment), os.path.realpath(store.root)
    for name in docker.names():
        context = read(docker, name)
        if context and context.host == used and context.mark and context.mark.store == here:
            yield context.mark.machine


def machines_of(store: Store, names: Iterable[str]) -> Iterator[Machine]:
    """Return the machines of those names whose records can be read."""
    for name in names:
        try:
            yield store.read(name)
        except MachineError:
            continue


def moved(machine: Machine, used: str, environment: Mapping[str, str]) -> str:
    """Say that a machine has another address than docker uses."""
    name = machine.name
    again = "machinectl context sync"
    if environment.get("DOCKER_HOST") == used:
        from machinectl.shell import POSIX, SHELLS, detect

        shell = SHELLS.get(detect(environment, os.getppid()), POSIX)
        again = shell.evaluation(f"machinectl env {name}").strip()
    return f'"{name}" is at {machine.url} now, docker looked at {used}. Point it there: {again}'


def expired(machine: Machine, failure: str, now: datetime) -> str:
    """Say that a machine's certificate has expired, and how to renew it."""
    if not machine.tls:
        return ""
    over = {file: end for file in CERTIFICATES if (end := end_of(machine, file)) and end < now}
    if not over and "certificate has expired" not in failure:
        return ""
    from machinectl.machines.tls_warnings import renewing

    again = renewing(machine, over or ["server.pem"])
    for file, end in over.items():
        return f'{CERTIFICATES[file]} "{machine.name}" expired on {end:%Y-%m-%d}. {again}'
    return f'The engine of "{machine.name}" shows a certificate that has expired. {again}'


def end_of(machine: Machine, file: str) -> datetime | None:
    """Return when a certificate expires, the last one of several CAs; None if it cannot be read."""
    from machinectl.validity import expiry_dates

    try:
        found = expiry_dates(read_file(os.path.join(machine.directory, file)))
    except OSError:
        return None
    return max(found if file == "ca.pem" else found[:1], default=None)


def asleep(machine: Machine, failure: str) -> str:
    """Say that a machine does not answer, and how to wake it if that is possible."""
    if not any(said in failure for said in SILENT) or any(said in failure for said in TLS_FAILED):
        return ""
    if machine.mac:
        return f'"{machine.name}" does not answer. If it is asleep, wake it: machinectl start {machine.name}'
    return f'"{machine.name}" does not answer. See why: machinectl status {machine.name}'
