"""Check DOCKER_… in this shell, which override machinectl's settings. Pure.

DOCKER_HOST beats DOCKER_CONTEXT, both beat `docker context use` (docker/cli, resolveContextName).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from machinectl.doctor.check import broken, ok, unknown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from machinectl.doctor.check import Check
    from machinectl.machines.record import Machine

TITLE = "This shell"
AGAIN = "eval $(machinectl env -u)"


def shell_checks(environment: Mapping[str, str], machines: Sequence[Machine]) -> Iterator[Check]:
    host, context = environment.get("DOCKER_HOST", ""), environment.get("DOCKER_CONTEXT", "")
    last = environment.get("DOCKER_MACHINE_NAME", "")
    at_host = sorted((each for each in machines if host and each.url == host), key=lambda each: each.name != last)
    if at_host:
        yield machine_variables_check(at_host[0], environment)
    elif host:
        there = f"DOCKER_HOST has docker use {host}, which is no machine here, and beats its contexts"
        yield unknown(TITLE, there, f"Unset it: {AGAIN}")
    elif context:
        there = f"DOCKER_CONTEXT has docker use the context {context}, whatever `docker context use` chose"
        yield unknown(TITLE, there, "Unset it: unset DOCKER_CONTEXT")
    elif stray := tls_without_host(environment):
        yield broken(TITLE, stray, f"Unset it: {AGAIN}")
    else:
        yield ok(TITLE, "no DOCKER_HOST, no DOCKER_CONTEXT: docker uses its current context")
    if version := environment.get("DOCKER_API_VERSION"):
        fixed = f"DOCKER_API_VERSION has docker speak {version} to every engine"
        yield unknown(TITLE, fixed, "Unset it: unset DOCKER_API_VERSION")


def machine_variables_check(machine: Machine, environment: Mapping[str, str]) -> Check:
    name = machine.name
    tls, directory = environment.get("DOCKER_TLS_VERIFY", ""), environment.get("DOCKER_CERT_PATH", "")
    again = f"Set it anew: eval $(machinectl env {name})"
    if machine.tls and not tls:
        return broken(TITLE, f'docker is pointed at "{name}" without its TLS', again)
    if machine.tls and os.path.abspath(directory) != machine.directory:
        there = directory or "nowhere"
        return broken(TITLE, f'docker is pointed at "{name}" with certificates from {there}', again)
    if not machine.tls and tls:
        return broken(TITLE, f'docker is pointed at "{name}" with TLS, which that does not speak', again)
    return ok(TITLE, f'docker is pointed at "{name}"')


def tls_without_host(environment: Mapping[str, str]) -> str:
    """Explain TLS without a host: docker needs certificates even for its local socket."""
    if not environment.get("DOCKER_TLS_VERIFY"):
        return ""
    directory = environment.get("DOCKER_CERT_PATH", "") or os.path.join(os.path.expanduser("~"), ".docker")
    if os.path.isfile(os.path.join(directory, "ca.pem")):
        return ""
    return f"DOCKER_TLS_VERIFY is set, and there is no ca.pem in {directory}: docker fails"
