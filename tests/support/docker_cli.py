"""The real docker CLI, as what machinectl writes for it is judged by."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from tests.support.real import need

if TYPE_CHECKING:
    from pathlib import Path


class DockerCli:
    """docker with a DOCKER_CONFIG of the test's own."""

    def __init__(self, config: Path) -> None:
        need("docker")
        self.config = config

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", *arguments],
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent", "DOCKER_CONFIG": str(self.config)}
            | variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def __call__(self, *arguments: str) -> str:
        """What docker prints. One that fails ends the test."""
        process = self.run(*arguments)
        assert process.returncode == 0, process.stderr
        return process.stdout

    def contexts(self) -> set[str]:
        """The names of all contexts but docker's own, each of which docker can use."""
        listed = [json.loads(line) for line in self("context", "ls", "--format", "json").splitlines()]
        assert not [each for each in listed if each["Error"]]
        return {each["Name"] for each in listed} - {"default"}

    def inspect(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self("context", "inspect", name))[0]
        return found
