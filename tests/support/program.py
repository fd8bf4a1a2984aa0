"""Run machinectl as its user does: a process of its own, with nothing but what it prints to judge it by."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import subprocess
import sys
from typing import TYPE_CHECKING

import machinectl as package
from tests.support.dying import ENGINE, TIME
from tests.support.forked import run_forked

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

COMMAND = [sys.executable, "-m", "machinectl"]
# What sys.argv begins with in such a process.
PROGRAM = os.path.join(os.path.dirname(package.__file__), "__main__.py")
# How long a run may take.
SECONDS = 60


def machinectl(
    *arguments: str | Path,
    store: str | Path = "",
    environment: Mapping[str, str] | None = None,
    stdin: str = "",
    cwd: Path | None = None,
    seconds: float = SECONDS,
) -> subprocess.CompletedProcess[str]:
    """Run a command line to its end, with `store` as MACHINE_STORAGE_PATH."""
    variables = {**os.environ, **({"MACHINE_STORAGE_PATH": str(store)} if store else {}), **(environment or {})}
    words = [*map(str, arguments)]
    if done := run_forked([PROGRAM, *words], variables, encoded(stdin), str(cwd or os.getcwd()), seconds):
        return subprocess.CompletedProcess(done.args, done.returncode, decoded(done.stdout), decoded(done.stderr))
    return subprocess.run(
        [*COMMAND, *words],
        env=variables,
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
        timeout=seconds,
        cwd=cwd,
    )


def typed_at_terminal(*arguments: str | Path, store: str | Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a command line at a terminal without colours, to its end, and return all that stands there."""
    pid, terminal = pty.fork()
    if pid == 0:
        variables = {**os.environ, "NO_COLOR": "1", "MACHINE_STORAGE_PATH": str(store), **(environment or {})}
        os.execve(COMMAND[0], [*COMMAND, *map(str, arguments)], variables)
    said = b""
    with contextlib.suppress(OSError):  # EIO: the program has ended
        while select.select([terminal], [], [], SECONDS)[0] and (data := os.read(terminal, 1 << 16)):
            said += data
    os.waitpid(pid, 0)
    os.close(terminal)
    return decoded(said)


def limited(limit: str, command: Sequence[str]) -> list[str]:
    """A command under a limit of sh's `ulimit`: `-n 256` open files, or `-f 2048` times 512 bytes in a file."""
    return ["sh", "-c", f'ulimit {limit}; exec "$@"', "sh", *command]


def killed_at(moment: int, store: str | Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command line that is killed right before a touch of the store; see `dying`."""
    return _dying(str(moment), store, arguments)


def killed_around_commands(
    moment: int, store: str | Path, *arguments: str | Path, part: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command line that is killed right before or after a command on a host; see `dying.die_around_commands`."""
    return _dying(f"{moment}:{part}", store, arguments)


def killed_at_engine(moment: int, store: str | Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command line that is killed right before it sends something to an engine; see `dying.die_at_engine`."""
    return _dying(f"{moment}:{ENGINE}", store, arguments)


def killed_after(seconds: float, store: str | Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command line that is killed by SIGALRM after some time, wherever it is."""
    return _dying(f"{max(1, int(seconds * 1e6))}:{TIME}", store, arguments)


def _dying(moment: str, store: str | Path, arguments: Iterable[str | Path]) -> subprocess.CompletedProcess[str]:
    words = ["dying", moment, str(store), *map(str, arguments)]
    variables = {**os.environ, "MACHINE_STORAGE_PATH": str(store)}
    done = run_forked(words, variables, b"", os.getcwd(), 2 * SECONDS, module="tests.support.dying")
    assert done, "an interpreter has to be started for these variables"
    return subprocess.CompletedProcess(words, done.returncode, decoded(done.stdout), decoded(done.stderr))


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape").replace("\r\n", "\n").replace("\r", "\n")


def on_the_path(directory: Path) -> str:
    """A PATH on which `machinectl` is a program in that directory, as it is for a user."""
    directory.mkdir(exist_ok=True)
    program = directory / "machinectl"
    program.write_text(f'#!/bin/sh\nexec {" ".join(COMMAND)} "$@"\n')
    program.chmod(0o755)
    return f"{directory}{os.pathsep}{os.environ['PATH']}"
