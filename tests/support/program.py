"""Run machinectl as its user does: a process of its own, with nothing but what it prints to judge it by."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

COMMAND = [sys.executable, "-m", "machinectl"]


def machinectl(
    *arguments: str | Path,
    store: str | Path = "",
    environment: Mapping[str, str] | None = None,
    stdin: str = "",
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command line to its end, with `store` as MACHINE_STORAGE_PATH."""
    variables = {**os.environ, **({"MACHINE_STORAGE_PATH": str(store)} if store else {}), **(environment or {})}
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env=variables,
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
        timeout=60,
        cwd=cwd,
    )


def limited(limit: str, command: Sequence[str]) -> list[str]:
    """A command under a limit of sh's `ulimit`: `-n 256` open files, or `-f 2048` times 512 bytes in a file."""
    return ["sh", "-c", f'ulimit {limit}; exec "$@"', "sh", *command]


def on_the_path(directory: Path) -> str:
    """A PATH on which `machinectl` is a program in that directory, as it is for a user."""
    directory.mkdir(exist_ok=True)
    program = directory / "machinectl"
    program.write_text(f'#!/bin/sh\nexec {" ".join(COMMAND)} "$@"\n')
    program.chmod(0o755)
    return f"{directory}{os.pathsep}{os.environ['PATH']}"
