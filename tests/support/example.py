"""Run the scripts of `examples` as they stand, as somebody does who has copied them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.program import on_the_path
from tests.support.real import need

EXAMPLES = Path(__file__).parents[2] / "examples"
PATIENCE = 300


def need_compose() -> None:
    """Require docker's Compose, which is no program on the PATH but a plugin."""
    need("docker")
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode != 0:
        need("docker compose")


class Example:
    """A user's computer: `machinectl` is on the PATH there, with a store of its own."""

    def __init__(self, directory: Path) -> None:
        self.store = directory / "store"
        self.environment = {
            **os.environ,
            "PATH": on_the_path(directory / "bin"),
            "MACHINE_STORAGE_PATH": str(self.store),
        }

    def run(self, script: str, *arguments: str | Path) -> str:
        """What an example prints that comes to its end."""
        done = self.end(script, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def end(self, script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        need("docker")
        return subprocess.run(
            [EXAMPLES / script, *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )


@pytest.fixture
def example(tmp_path: Path) -> Example:
    return Example(tmp_path)
