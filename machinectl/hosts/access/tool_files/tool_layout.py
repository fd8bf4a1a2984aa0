"""The files that a tool gets, and the lines to type."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from machinectl import url as engine_url
from machinectl.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CERTIFICATE_NAMES = ("ca.pem", "cert.pem", "key.pem")


@dataclass(frozen=True)
class EngineAccess:
    """How one tool reaches one engine. The files are PEM."""

    name: str
    url: str
    ca: bytes
    certificate: bytes
    key: bytes = field(repr=False)

    @property
    def host(self) -> str:
        """Return the host as certificates have it: no brackets around IPv6."""
        return engine_url.parse_url(self.url).host

    @property
    def https(self) -> str:
        """Return the URL for programs that speak HTTPS only if the scheme says so."""
        return self.url.replace("tcp://", "https://", 1)

    @property
    def address(self) -> str:
        """Return HOST:PORT."""
        return self.url.removeprefix("tcp://")

    def variables(self, directory: str) -> dict[str, str]:
        """Return docker's environment variables.

        See https://docs.docker.com/reference/cli/docker/#environment-variables
        """
        return {"DOCKER_HOST": self.url, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": directory}


@dataclass(frozen=True)
class ToolFiles:
    """`files` are contents by path below the directory; `lines` are for any shell. Those with # are comments."""

    files: dict[str, bytes] = field(repr=False)
    lines: list[str]


def certificate_files(engine: EngineAccess, folder: str = "") -> dict[str, bytes]:
    """Return the files that docker's own programs look for, by path; `folder` is the machine's name by default."""
    contents = (engine.ca, engine.certificate, engine.key)
    return {f"{folder or engine.name}/{name}": data for name, data in zip(CERTIFICATE_NAMES, contents, strict=True)}


def by_machine(engines: Sequence[EngineAccess]) -> dict[str, bytes]:
    return {path: data for engine in engines for path, data in certificate_files(engine).items()}


def by_host(tool: str, engines: Sequence[EngineAccess], folder: Callable[[EngineAccess], str]) -> dict[str, bytes]:
    """Return certificates for a tool that looks for them by the host in an engine's URL."""
    machines: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for engine in engines:
        other = machines.setdefault(folder(engine), engine.name)
        if other != engine.name:
            raise MachineError(
                f'"{other}" and "{engine.name}" are on one host, and {tool} has one certificate for each host',
                "Run it once for each of them, with two directories: --out <DIRECTORY>",
            )
        files.update(certificate_files(engine, folder(engine)))
    return files


def quoted(*parts: str) -> str:
    """Return a path as one word of a shell."""
    return shlex.quote(os.path.join(*parts))


def mount(place: str, *parts: str) -> str:
    """Return an option of `docker run` for a path. Raises MachineError for a colon: docker would split the path."""
    path = os.path.join(*parts)
    if ":" in path:
        raise MachineError(f"{path} has a colon, and cannot be mounted", "Choose another directory: --out <DIRECTORY>")
    return f"-v {shlex.quote(path)}:{place}:ro"


def instance(tool: str, engine: EngineAccess, engines: Sequence[EngineAccess]) -> str:
    """Return a container's name for a tool that uses one engine."""
    return tool if len(engines) == 1 else f"{tool}-{engine.name}"
