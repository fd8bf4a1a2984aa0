"""docker buildx: read its builders, and change them by its commands.

Format: docker/buildx, store/nodegroup.go; CONFIG/instances/NAME is JSON.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from machinectl.docker_cli.contexts import Contexts
from machinectl.errors import Hint, MachineError, UsageError, one_line
from machinectl.files.atomic import read_file
from machinectl.hosts.docker_program import docker_program
from machinectl.json_values import as_dict, as_list

if TYPE_CHECKING:
    from collections.abc import Mapping

# store/util.go: namePattern.
NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9._-]*")
# They point docker at an engine, or buildx at a builder.
POINTING = (
    *("DOCKER_HOST", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"),
    *("BUILDKIT_HOST", "BUILDX_BUILDER"),
)
# Seconds. buildx itself waits 20 for engines.
PATIENCE = 60.0
# Seconds to pull and start buildkitd on all nodes.
BOOT = 600.0
# The container of a node: driver.BuilderName.
CONTAINER = "buildx_buildkit_"


class BuildxError(MachineError):
    """buildx failed."""


@dataclass(frozen=True)
class BuildxNode:
    """`endpoint` is a docker context, or a URL. `platforms` are those that the node was created for."""

    name: str
    endpoint: str
    platforms: tuple[str, ...] = ()


class Buildx:
    """The builders of one DOCKER_CONFIG."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        # util/confutil/config.go: ConfigDir
        config = Contexts(environment.get("DOCKER_CONFIG", "")).config
        self.directory = os.path.abspath(environment.get("BUILDX_CONFIG") or os.path.join(config, "buildx"))

    def names(self) -> list[str]:
        """Return the names of all builders. Raises MachineError."""
        directory = os.path.join(self.directory, "instances")
        try:
            return sorted(name for name in os.listdir(directory) if NAME.fullmatch(name))
        except FileNotFoundError:
            return []
        except OSError as exc:
            raise MachineError(f"{directory} cannot be read: {exc.strerror}", Hint("See", "docker buildx ls")) from exc

    def nodes(self, builder: str) -> dict[str, BuildxNode] | None:
        """Return a builder's nodes by name, None if there is no such builder. Raises MachineError."""
        path = os.path.join(self.directory, "instances", builder)
        try:
            document = as_dict(json.loads(read_file(path)))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as exc:
            raise MachineError(f"{path} cannot be read: {exc}", Hint("See", "docker buildx ls")) from exc
        nodes = map(parse_node, map(as_dict, as_list(document.get("Nodes"))))
        return {node.name: node for node in nodes}

    def run(self, *words: str, patience: float = PATIENCE, pointed: bool = False) -> None:
        """Run `docker buildx WORDS…`, `pointed` at the engine that docker points at. Raises MachineError."""
        done = self._start(*words, patience=patience, pointed=pointed)
        if done.returncode:
            # docker without buildx complains about the command's flags.
            if self._start("version").returncode:
                raise MachineError(
                    "docker has no buildx here",
                    Hint("Install the package docker-buildx-plugin (Debian's own: docker-buildx)"),
                )
            hint = Hint("Look for a machine that does not answer", "machinectl ls")
            raise BuildxError(f"docker buildx {words[0]}: {failure_reason(done.stderr)}", hint)

    def _start(
        self, *words: str, patience: float = PATIENCE, pointed: bool = False
    ) -> subprocess.CompletedProcess[str]:
        environment = dict(self.environment)
        if not pointed:
            # The current context may not exist.
            environment = {key: value for key, value in environment.items() if key not in POINTING}
            environment["DOCKER_CONTEXT"] = "default"
        command = [docker_program(), "buildx", *words]
        try:
            return subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=patience,
                check=False,
            )
        except subprocess.TimeoutExpired as exc:
            raise MachineError(
                f"docker buildx {words[0]} took more than {patience:.0f} s", Hint("Try", "docker ps")
            ) from exc
        except OSError as exc:
            raise MachineError(f"docker cannot be started: {exc.strerror}", Hint("Try", "docker --version")) from exc


def failure_reason(said: str) -> str:
    """Return the line of buildx's stderr that says why; of ssh's failure only what ssh says."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    # `rm` says why before its last line.
    reasons = [line for line in lines if line.startswith("failed to remove ") and ": " in line] or lines
    return one_line(reasons[-1].removeprefix("ERROR: ").rpartition("stderr=")[2]) if reasons else "it does not say why"


def parse_node(document: Mapping[str, Any]) -> BuildxNode:
    platforms = []
    for platform in map(as_dict, as_list(document.get("Platforms"))):
        parts = (platform.get(key) for key in ("os", "architecture", "variant"))
        platforms.append("/".join(str(part) for part in parts if part))
    return BuildxNode(
        str(document.get("Name") or ""), str(document.get("Endpoint") or ""), tuple(filter(None, platforms))
    )


def check_name(builder: str) -> str:
    """Return the name as buildx writes it. Raises UsageError."""
    if builder == "default":
        raise UsageError('"default" is docker\'s own builder', Hint("Choose another name: --name <NAME>"))
    if not NAME.fullmatch(builder):
        raise UsageError(
            f"buildx does not take {builder!r} as a builder's name",
            Hint("Begin with a letter, and use 0-9a-zA-Z . _ -"),
        )
    return builder.lower()
