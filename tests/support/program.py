"""Run machinectl as its user does: a process of its own, with nothing but what it prints to judge it by."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from typing import TYPE_CHECKING, Any

import machinectl as package
from tests.support.dying import ENGINE, TIME
from tests.support.forked import Forked, can_run, run_forked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
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


def started(
    *arguments: str | Path,
    store: str | Path = "",
    environment: Mapping[str, str] | None = None,
    limits: Mapping[int, int] | None = None,
    **options: Any,
) -> subprocess.Popen[Any]:
    """Start a command line; `options` are those of Popen, `limits` those of setrlimit."""
    variables = {**os.environ, **({"MACHINE_STORAGE_PATH": str(store)} if store else {}), **(environment or {})}
    words = [*map(str, arguments)]
    if can_run(variables):
        return Forked([PROGRAM, *words], env=variables, limits=limits, **options)
    assert not limits
    return subprocess.Popen([*COMMAND, *words], env=variables, **options)


def open_terminal(lines: int = 24, columns: int = 80) -> tuple[int, int]:
    """Return our end of a new terminal, and that of programs."""
    ours, theirs = pty.openpty()
    resize(theirs, lines, columns)
    return ours, theirs


def resize(terminal: int, lines: int, columns: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


@contextlib.contextmanager
def at_terminal(
    *arguments: str | Path,
    store: str | Path,
    environment: Mapping[str, str] | None = None,
    lines: int = 24,
    columns: int = 120,
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Start a command line in a session with a terminal; yields its process and our end of the terminal."""
    ours, theirs = open_terminal(lines, columns)
    variables = {key: value for key, value in os.environ.items() if key not in {"NO_COLOR", "COLUMNS", "LINES"}}
    variables |= {"TERM": "xterm", "MACHINE_STORAGE_PATH": str(store), **(environment or {})}
    words = [PROGRAM, *map(str, arguments)]
    process = Forked(words, stdin=theirs, stdout=theirs, stderr=theirs, env=variables, start_new_session=True)
    os.close(theirs)
    try:
        yield process, ours
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def typed_at_terminal(*arguments: str | Path, store: str | Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a command line at a terminal without colours, to its end, and return all that stands there."""
    variables = {"NO_COLOR": "1", **(environment or {})}
    with at_terminal(*arguments, store=store, environment=variables, columns=80) as (process, ours):
        said = everything(ours)
        process.wait(SECONDS)
    return said


def everything(terminal: int) -> str:
    """Return all that is written to a terminal until nobody has its other end any more."""
    said = b""
    with contextlib.suppress(OSError):  # EIO: the other end is closed
        while select.select([terminal], [], [], SECONDS)[0] and (data := os.read(terminal, 1 << 16)):
            said += data
    return decoded(said)


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
    return _forked(words, variables, "tests.support.dying", None)


def recorded(
    record: Path, store: str | Path, *arguments: str | Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command line, and append to a file what it hands to SSH, to TLS and to other programs; see `recording`."""
    words = ["recording", str(record), *map(str, arguments)]
    variables = {**os.environ, "MACHINE_STORAGE_PATH": str(store), **(environment or {})}
    return _forked(words, variables, "tests.support.recording", None)


def run_code(
    code: str, *arguments: str | Path, environment: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run code as `python -c` does, in a fork that has loaded all of machinectl."""
    words = ["-c", code, *map(str, arguments)]
    return _forked(words, {**os.environ, **(environment or {})}, "tests.support.code", cwd)


def _forked(
    words: list[str], variables: Mapping[str, str], module: str, cwd: Path | None
) -> subprocess.CompletedProcess[str]:
    done = run_forked(words, variables, b"", str(cwd or os.getcwd()), 2 * SECONDS, module=module)
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
