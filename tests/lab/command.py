"""Run programs of this machine, and fail with what they said."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class LabError(Exception):
    """The lab itself cannot do what was asked; not a failure of what is tested in it."""


def launch(
    command: Sequence[object],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    pass_fds: Sequence[int] = (),
) -> None:
    """Start a program that outlives this process and is no child of it."""
    words = ["setsid", "--fork", *map(str, command)]
    with log.open("ab") as output:
        subprocess.run(
            words,
            env=None if environment is None else os.environ | environment,
            cwd=cwd,
            pass_fds=pass_fds,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=True,
        )


def sh(*command: object, stdin: str = "", check: bool = True) -> str:
    """Run a command of this machine; both its streams, which only matter if it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if check and done.returncode:
        raise LabError(f"{' '.join(words)[:200]} failed ({done.returncode}):\n{done.stdout[-3000:]}")
    return done.stdout
