"""The local docker CLI: its version, whether an engine accepts its API version, and its environment variables.

DOCKER_HOST beats DOCKER_CONTEXT, both beat `docker context use` (docker/cli, resolveContextName).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from machinectl.certificate_dates import expiry_dates
from machinectl.check import BROKEN, OK, SHELL, Check, broken, first_case, ok, unknown
from machinectl.errors import NO_HINT, Hint, MachineError
from machinectl.files.atomic import quote_word
from machinectl.files.fileset import read_regular_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from machinectl.machines.record import Machine

CLI, API = "docker CLI", "API version"
AGAIN = "eval $(machinectl env -u)"
# Seconds; printing a version takes milliseconds.
PATIENCE = 5.0
DOCS = "https://docs.docker.com/engine/install/"
# No engine: we ask only for the client's version.
NO_ENGINE = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}
NUMBERS = re.compile(r"(\d{1,5})\.(\d{1,5})")


def cli_check(path: str) -> Check:
    program = shutil.which("docker", path=path)
    if program is None:
        return broken(CLI, "docker is not on the PATH", Hint("Install the docker CLI", DOCS))
    said, see = first_line([program, "--version"]), Hint("See why", f"{quote_word(program)} --version")
    if not said:
        return broken(CLI, f"{program} does not report its version", see)
    if not said.startswith("Docker version "):
        return unknown(CLI, f"{program} is not Docker's CLI: {said!r}", see)
    return ok(CLI, f"{program}, {said.removeprefix('Docker ').partition(',')[0]}")


@cache
def client_api_version(path: str) -> str:
    """Return the docker CLI's newest API version (1.50), else ""."""
    program = shutil.which("docker", path=path)
    if not program:
        return ""
    environment = {**os.environ, **NO_ENGINE}
    for variable in ("DOCKER_CONTEXT", "DOCKER_API_VERSION", "DOCKER_TLS_VERIFY"):
        environment.pop(variable, None)
    command = [program, "version", "--format", "{{.Client.DefaultAPIVersion}}"]
    version = NUMBERS.match(first_line(command, environment, check=False))
    return version[0] if version else ""


def first_line(command: list[str], environment: Mapping[str, str] | None = None, *, check: bool = True) -> str:
    """Return a program's first line, "" if it cannot be run, or failed and we `check` that."""
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, timeout=PATIENCE, check=check, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode(errors="replace").strip().partition("\n")[0]


def api_check(client: str, least: str, most: str) -> Check:
    """Check whether an engine with API `least` to `most` accepts a CLI with `client`.

    A newer CLI falls back; an engine refuses one below `least`.
    """
    engine = f"the engine speaks {least} to {most}" if least else f"the engine speaks {most}"
    if not client:
        return unknown(API, f"{engine}; the docker CLI does not report its API version")
    seen = f"the docker CLI speaks up to {client}, {engine}"
    if least and version_numbers(client) < version_numbers(least):
        return broken(API, f"{seen}: the CLI is too old", Hint("Install a newer docker CLI", DOCS))
    return ok(API, seen)


def version_numbers(version: str) -> tuple[int, ...]:
    """Return a version for comparing; () if invalid, which sorts first."""
    found = NUMBERS.fullmatch(version)
    return (int(found[1]), int(found[2])) if found else ()


def shell_checks(environment: Mapping[str, str], machines: Sequence[Machine]) -> Iterator[Check]:
    """Check DOCKER_… in this shell, which override machinectl's settings."""
    host, context = environment.get("DOCKER_HOST", ""), environment.get("DOCKER_CONTEXT", "")
    last = environment.get("DOCKER_MACHINE_NAME", "")
    at_host = sorted((each for each in machines if host and host in each.urls), key=lambda each: each.name != last)
    if at_host:
        yield machine_variables_check(at_host[0], environment)
    elif host:
        there = f"DOCKER_HOST overrides docker's context: docker uses {host}, which is not a machine here"
        yield unknown(SHELL, there, Hint("Unset it", AGAIN))
    elif context:
        there = f"DOCKER_CONTEXT overrides `docker context use`: docker uses the context {context}"
        yield unknown(SHELL, there, Hint("Unset it", "unset DOCKER_CONTEXT"))
    elif stray := tls_without_host(environment):
        yield broken(SHELL, stray, Hint("Unset it", AGAIN))
    else:
        yield ok(SHELL, "no DOCKER_HOST, no DOCKER_CONTEXT: docker uses its current context")
    if version := environment.get("DOCKER_API_VERSION"):
        fixed = f"docker speaks API {version} to every engine (DOCKER_API_VERSION)"
        yield unknown(SHELL, fixed, Hint("Unset it", "unset DOCKER_API_VERSION"))


def machine_variables_check(machine: Machine, environment: Mapping[str, str]) -> Check:
    name = machine.name
    tls, directory = environment.get("DOCKER_TLS_VERIFY", ""), environment.get("DOCKER_CERT_PATH", "")
    again = Hint("Set it again", f"eval $(machinectl env {name})")
    here = f'docker uses "{name}"'
    elsewhere = os.path.abspath(directory) != machine.directory
    theirs = f"{here} with certificates from {directory or 'nowhere'}"
    fault = fault_of_certificates(machine, directory, datetime.now(UTC)) if machine.tls and elsewhere else ""
    return first_case(
        SHELL,
        (machine.tls and not tls, BROKEN, f"{here} without TLS, which its engine requires", again),
        (fault, BROKEN, f"{theirs}{fault}", again),
        (machine.tls and elsewhere, OK, theirs, NO_HINT),
        (not machine.tls and tls, BROKEN, f"{here} with TLS, which its engine does not speak", again),
        (True, OK, here, NO_HINT),
    )


def fault_of_certificates(machine: Machine, directory: str, now: datetime) -> str:
    """Return what is wrong with certificates outside the store, "" for valid ones as `access issue` writes them."""
    try:
        ca, own_ca = (read_regular_file(os.path.join(each, "ca.pem")) for each in (directory, machine.directory))
        ends = expiry_dates(read_regular_file(os.path.join(directory, "cert.pem")))
    except MachineError as exc:
        return f": {exc.cause}"
    if ca != own_ca or not ends:
        return ", which are not for its engine"
    return f", which expired on {ends[0]:%Y-%m-%d %H:%M} UTC" if ends[0] <= now else ""


def tls_without_host(environment: Mapping[str, str]) -> str:
    """Return why docker fails: with TLS, it needs certificates even for its local socket. "" if it does not."""
    if not environment.get("DOCKER_TLS_VERIFY"):
        return ""
    directory = environment.get("DOCKER_CERT_PATH", "") or os.path.join(os.path.expanduser("~"), ".docker")
    if os.path.isfile(os.path.join(directory, "ca.pem")):
        return ""
    return f"docker fails: DOCKER_TLS_VERIFY is set, but {directory} has no ca.pem"
