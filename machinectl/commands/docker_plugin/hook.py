"""A docker command failed on one of our machines: the line that follows it, made from what is on disk."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING

from machinectl.contexts import ContextError, Contexts
from machinectl.errors import MachineError
from machinectl.machines.fileset import read_pem
from machinectl.shell import POSIX, SHELLS, detect

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from machinectl.contexts import Context
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

# The engine answered: it is not for us to say more.
ANSWERED = "Error response from daemon"
# What docker's client says where no engine answered (moby/moby client/errors.go, and Go's net).
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
# What docker's client calls an engine behind a socket or ssh.
NO_HOSTS = ("docker.example.com", "api.moby.localhost", "localhost", "%2F")
CERTIFICATES = {
    "cert.pem": "Your certificate for",
    "ca.pem": "The CA of",
    "server.pem": "The certificate of",
}


def docker_plugin_hook(
    store: Store, failure: str, environment: Mapping[str, str], *, now: datetime | None = None
) -> str:
    """What to say after a docker command that failed, in a line; "" where there is nothing that we know.

    `failure` is what docker said, as far as it tells its plugins: of what a plugin does, only that it failed.
    """
    if ANSWERED in failure:
        return ""
    docker = Contexts(environment.get("DOCKER_CONFIG", ""))
    used = named_in(failure) or pointed_at(docker, environment)
    machine = meant(store, docker, used, environment)
    if machine is None:
        return ""
    if machine.url != used:
        return moved(machine, used, environment)
    return expired(store, machine, failure, now or datetime.now(UTC)) or asleep(machine, failure)


def named_in(failure: str) -> str:
    """The engine that docker says that it asked, in docker's notation; "" where it does not say."""
    found = URL.search(failure)
    if not found:
        return ""
    scheme, _, rest = found[0].partition("://")
    if scheme not in {"http", "https"}:
        return found[0].rstrip(".,:;")
    host = rest.partition("/")[0]
    return "" if host.startswith(NO_HOSTS) else f"tcp://{host}"


def pointed_at(docker: Contexts, environment: Mapping[str, str]) -> str:
    """The engine that docker asks where its command line names none; "" where that is not known."""
    if host := environment.get("DOCKER_HOST"):
        return host
    context = read(docker, docker.current(environment).name)
    return context.host if context else ""


def read(docker: Contexts, name: str) -> Context | None:
    try:
        return docker.read(name)
    except ContextError:
        return None


def meant(store: Store, docker: Contexts, used: str, environment: Mapping[str, str]) -> Machine | None:
    """The machine that was asked for: the one of that URL, else the one that had it when docker was pointed there."""
    if not used:
        return None
    pointed = list(machines_of(store, pointing(store, docker, used, environment)))
    # Who is pointed at comes first: a machine of many need not read all the others' records.
    there = chain(pointed, machines_of(store, store.names()))
    return next((machine for machine in there if machine.url == used), None) or next(iter(pointed), None)


def pointing(store: Store, docker: Contexts, used: str, environment: Mapping[str, str]) -> list[str]:
    """The names of machines that docker was pointed at by us, at that URL: by `env`, or by their contexts."""
    if environment.get("DOCKER_HOST") == used:
        directory, own = os.path.split(environment.get("DOCKER_CERT_PATH", ""))
        names = [environment.get("DOCKER_MACHINE_NAME", ""), own if directory == store.machines else ""]
        return [name for name in names if name]
    here = os.path.realpath(store.root)
    current = docker.current(environment).name
    contexts = (read(docker, name) for name in sorted(docker.names(), key=lambda name: name != current))
    found = (context.mark for context in contexts if context and context.host == used)
    return [mark.machine for mark in found if mark and mark.store == here]


def machines_of(store: Store, names: Iterable[str]) -> Iterator[Machine]:
    """The machines of those names whose records can be read."""
    for name in names:
        try:
            yield store.read(name)
        except MachineError:
            continue


def moved(machine: Machine, used: str, environment: Mapping[str, str]) -> str:
    """That a machine is not where docker looks for it."""
    name = machine.name
    again = "machinectl context sync"
    if environment.get("DOCKER_HOST") == used:
        shell = SHELLS.get(detect(environment, os.getppid()), POSIX)
        again = shell.evaluation(f"machinectl env {name}").strip()
    return f'"{name}" is at {machine.url} now, docker looked at {used}. Point it there: {again}'


def expired(store: Store, machine: Machine, failure: str, now: datetime) -> str:
    """That a certificate of a machine has expired, and what renews it."""
    if not machine.tls:
        return ""
    over = {file: end for file in CERTIFICATES if (end := end_of(machine, file)) and end < now}
    if not over and "certificate has expired" not in failure:
        return ""
    from machinectl.hosts.expiry import Row, renewal

    again = renewal(store, machine.name, [Row(machine.name, file) for file in over or ["server.pem"]])
    for file, end in over.items():
        return f'{CERTIFICATES[file]} "{machine.name}" expired on {end:%Y-%m-%d}. {again}'
    return f'The engine of "{machine.name}" shows a certificate that has expired. {again}'


def end_of(machine: Machine, file: str) -> datetime | None:
    """When a certificate of a machine expires, the last one of several CAs; None where there is none to be read."""
    path = os.path.join(machine.directory, file)
    if not os.path.lexists(path):
        return None
    from machinectl import certs

    try:
        found = certs.describe_all(read_pem(path), file=file)
    except MachineError:
        return None
    return max(each.not_after for each in found) if file == "ca.pem" else found[0].not_after


def asleep(machine: Machine, failure: str) -> str:
    """That a machine does not answer, and what wakes it where that can be known."""
    if not any(said in failure for said in SILENT) or any(said in failure for said in TLS_FAILED):
        return ""
    if machine.mac:
        return f'"{machine.name}" does not answer. If it is asleep, wake it: machinectl start {machine.name}'
    return f'"{machine.name}" does not answer. See why: machinectl status {machine.name}'
