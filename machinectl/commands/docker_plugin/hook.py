"""Explain a failed docker command from local files."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.machines.record import GRANTED, owner_of
from machinectl.machines.store.record_cache import Readable, Records

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from machinectl.docker_cli.contexts import Context, Contexts
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

# The engine answered: its own error is enough.
ANSWERED = "Error response from daemon"
# Client errors without an answer (moby/moby client/errors.go, Go's net).
SILENT = (
    "annot connect to the Docker daemon",
    "failed to connect to the docker API",
    "error during connect",
    "dial tcp",
    "deadline exceeded",
)
# Go's crypto/tls and crypto/x509: something answered.
TLS_FAILED = ("x509:", "tls:")
# Go's alerts about the client's certificate.
REFUSED = ("tls: certificate required", "tls: unknown certificate authority", "tls: bad certificate")
URL = re.compile(r"(?:tcp|unix|ssh|https?)://[^\s\"'`]+")
# Placeholders in docker's client for an engine behind a socket or ssh.
NO_HOSTS = ("docker.example.com", "api.moby.localhost", "localhost", "%2F")


def docker_plugin_hook(
    store: Store, failure: str, environment: Mapping[str, str], *, now: datetime | None = None
) -> str:
    """Return one line, or "" if the cause is unknown.

    Docker does not pass on the errors of plugins.
    """
    if ANSWERED in failure:
        return ""
    used = url_in_error(failure) or environment.get("DOCKER_HOST", "") or current_context_url(environment)
    machine = find_machine(store, used, environment)
    if machine is None:
        return ""
    if machine.urls[0] != used:
        return explain_old_url(machine, used, environment)
    expired = explain_expiry(machine, failure, now or datetime.now(UTC))
    return expired or explain_refusal(machine, failure) or explain_silence(machine, failure)


def url_in_error(failure: str) -> str:
    """Return the engine's URL, or ""."""
    found = URL.search(failure)
    if not found:
        return ""
    scheme, _, rest = found[0].partition("://")
    if scheme not in {"http", "https"}:
        return found[0].rstrip(".,:;")
    host = rest.partition("/")[0]
    return "" if host.startswith(NO_HOSTS) else f"tcp://{host}"


def current_context_url(environment: Mapping[str, str]) -> str:
    """Return the URL of docker's context, or ""."""
    docker = docker_contexts(environment)
    context = readable_context(docker, docker.current(environment).name)
    return context.host if context else ""


def docker_contexts(environment: Mapping[str, str]) -> Contexts:
    # The import takes 15 ms.
    from machinectl.docker_cli.contexts import Contexts

    return Contexts(environment.get("DOCKER_CONFIG", ""))


def readable_context(docker: Contexts, name: str) -> Context | None:
    try:
        return docker.read(name)
    except MachineError:
        return None


def find_machine(store: Store, used: str, environment: Mapping[str, str]) -> Machine | None:
    """Return the machine with this URL, else the shell's or a context's machine."""
    if not used:
        return None
    machines = Readable(Records(store))
    by_shell = [machines[name] for name in names_in_shell(store, used, environment) if name in machines]
    # Read the shell's machine first: a store may hold a thousand records.
    found = next((machine for machine in chain(by_shell, machines.values()) if used in machine.urls), None)
    if found or by_shell:
        return found or by_shell[0]
    return next((machines[name] for name in names_in_contexts(store, used, environment) if name in machines), None)


def names_in_shell(store: Store, used: str, environment: Mapping[str, str]) -> list[str]:
    """Return the names that `env` set."""
    if environment.get("DOCKER_HOST") != used:
        return []
    directory, own = os.path.split(environment.get("DOCKER_CERT_PATH", ""))
    names = [environment.get("DOCKER_MACHINE_NAME", ""), own if directory == store.machines else ""]
    return [name for name in names if name]


def names_in_contexts(store: Store, used: str, environment: Mapping[str, str]) -> Iterator[str]:
    docker, here = docker_contexts(environment), os.path.realpath(store.root)
    for name in docker.names():
        context = readable_context(docker, name)
        if context and context.host == used and context.mark and context.mark.store == here:
            yield context.mark.machine


def explain_old_url(machine: Machine, used: str, environment: Mapping[str, str]) -> str:
    name = machine.name
    again = "machinectl context sync"
    if environment.get("DOCKER_HOST") == used:
        from machinectl.shell import POSIX, SHELLS, detect

        shell = SHELLS.get(detect(environment, os.getppid()), POSIX)
        again = shell.evaluation(f"machinectl env {name}").strip()
    return f'"{name}" is at {machine.urls[0]} now, docker looked at {used}. Point it there: {again}'


def explain_expiry(machine: Machine, failure: str, now: datetime) -> str:
    # Imported here: it reads certificates.
    from machinectl.machines.tls_warnings import expired_certificate, renewing

    if expired := expired_certificate(machine, now):
        return f"{expired.cause}. {expired.hint}"
    if not machine.tls or "certificate has expired" not in failure:
        return ""
    return f'The engine of "{machine.name}" shows a certificate that has expired. {renewing(machine, ["server.pem"])}'


def explain_refusal(machine: Machine, failure: str) -> str:
    """Explain why the engine of a machine that somebody shared refuses this computer."""
    if machine.access.get("state") != GRANTED or not any(f"remote error: {alert}" in failure for alert in REFUSED):
        return ""
    return (
        f'The engine of "{machine.name}" refuses this computer: {owner_of(machine)} may have ended its access. '
        f"See why: machinectl status {machine.name}"
    )


def explain_silence(machine: Machine, failure: str) -> str:
    if not any(said in failure for said in SILENT) or any(said in failure for said in TLS_FAILED):
        return ""
    if machine.mac:
        return f'"{machine.name}" does not answer. If it is asleep, wake it: machinectl start {machine.name}'
    return f'"{machine.name}" does not answer. See why: machinectl status {machine.name}'
