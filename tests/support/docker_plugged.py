"""The real docker CLI, with a directory of its own for what is its user's."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.in_process import machinectl
from tests.support.real import need

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from machinectl.machines.store import Store


class PluggedDocker:
    """`docker`, and machinectl as its user calls it."""

    def __init__(self, directory: Path, store: Store) -> None:
        self.directory = directory
        self.configuration = directory / "config.json"
        self.plugin = directory / "cli-plugins" / "docker-machine"
        self.environment = {"DOCKER_CONFIG": str(directory), "MACHINE_STORAGE_PATH": store.root, "SHELL": "/bin/bash"}

    def __call__(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", *arguments],
            env={**os.environ, **self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=60,
        )

    def machinectl(
        self, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return machinectl(*arguments, environment={**self.environment, **(environment or {})})


@pytest.fixture
def docker(tmp_path: Path, store: Store) -> PluggedDocker:
    need("docker")
    return PluggedDocker(tmp_path / "docker", store)
