"""The local docker CLI's version, and whether an engine accepts its API version."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache
from typing import TYPE_CHECKING

from machinectl.doctor.check import broken, ok, unknown
from machinectl.files.atomic import quote_path

if TYPE_CHECKING:
    from machinectl.doctor.check import Check

CLI, API = "docker CLI", "API version"
# Seconds; printing a version takes milliseconds.
PATIENCE = 5.0
# The first docker CLI with contexts and plugins.
WITH_CONTEXTS = (19, 3)
DOCS = "https://docs.docker.com/engine/install/"
# No engine: we ask only for the client's version.
NO_ENGINE = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}
NUMBERS = re.compile(r"(\d{1,5})\.(\d{1,5})")


def cli_check(path: str) -> Check:
    program = shutil.which("docker", path=path)
    if program is None:
        return broken(CLI, "there is no docker on the PATH", f"Install the docker CLI: {DOCS}")
    said = version_of(program)
    if said is None:
        return broken(CLI, f"{program} does not say its version", f"See why: {quote_path(program)} --version")
    if not said.startswith("Docker version "):
        return unknown(CLI, f"{program} is not Docker's, but says {said!r}", f"See: {quote_path(program)} --version")
    seen = f"{program}, {said.removeprefix('Docker ').partition(',')[0]}"
    numbers = re.match(r"Docker version (\d+)\.(\d+)", said)
    if numbers and (int(numbers[1]), int(numbers[2])) < WITH_CONTEXTS:
        return unknown(CLI, f"{seen}: it knows neither contexts nor plugins", f"Install a newer one: {DOCS}")
    return ok(CLI, seen)


def version_of(program: str) -> str | None:
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, timeout=PATIENCE, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = done.stdout.decode(errors="replace").strip().partition("\n")[0]
    return said if done.returncode == 0 and said else None


def client_api_version(path: str) -> str:
    """Return the docker CLI's newest API version (1.50), else ""."""
    program = shutil.which("docker", path=path)
    return said_by(program) if program else ""


@cache
def said_by(program: str) -> str:
    command = [program, "version", "--format", "{{.Client.DefaultAPIVersion}}"]
    environment = {**os.environ, **NO_ENGINE}
    for variable in ("DOCKER_CONTEXT", "DOCKER_API_VERSION", "DOCKER_TLS_VERIFY"):
        environment.pop(variable, None)
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, timeout=PATIENCE, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = NUMBERS.match(done.stdout.decode(errors="replace"))
    return found[0] if found else ""


def api_check(client: str, least: str, most: str) -> Check:
    """Check whether an engine with API `least` to `most` accepts a CLI with `client`.

    A newer CLI falls back; an engine refuses one below `least`.
    """
    engine = f"the engine speaks {least} to {most}" if least else f"the engine speaks {most}"
    if not client:
        return unknown(API, f"{engine}; the docker CLI here does not say what it speaks")
    seen = f"the docker CLI here speaks up to {client}, {engine}"
    if least and version_numbers(client) < version_numbers(least):
        return broken(API, f"{seen}: it is too old for that engine", f"Install a newer docker CLI: {DOCS}")
    return ok(API, seen)


def version_numbers(version: str) -> tuple[int, ...]:
    """Return a version for comparing; () if invalid, which sorts first."""
    found = NUMBERS.fullmatch(version)
    return (int(found[1]), int(found[2])) if found else ()
