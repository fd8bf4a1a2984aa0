"""Find the docker CLI."""

from __future__ import annotations

import shutil

from machinectl.errors import Hint, MachineError


def docker_program() -> str:
    """Return its path. Raises MachineError."""
    if program := shutil.which("docker"):
        return program
    raise MachineError(
        "There is no docker on this computer", Hint("Install the docker CLI: docs.docker.com/engine/install")
    )
