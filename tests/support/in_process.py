"""Run a command line of machinectl in this process: a fifth of the CPU time of a fork.

Its children have its streams. What a process adds (signals, a terminal, kills, its start and its end) needs
`tests.support.program`.
"""

from __future__ import annotations

import io
import os
import subprocess
import tempfile
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from machinectl.cli.invocation import THIS
from machinectl.cli.main import run_command_line
from machinectl.machines import answered_address
from tests.support.forked import ENVIRONMENT, at_start
from tests.support.program import PROGRAM, decoded, encoded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


def machinectl(
    *arguments: str | Path,
    store: str | Path = "",
    environment: Mapping[str, str] | None = None,
    stdin: str = "",
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command line to its end, with `store` as MACHINE_STORAGE_PATH."""
    words = list(map(str, arguments))
    variables = dict(os.environ)
    more = {**({"MACHINE_STORAGE_PATH": str(store)} if store else {}), **(environment or {})}
    assert at_start({**variables, **more}) == at_start(ENVIRONMENT), "start an interpreter for these variables"
    assert {**variables, **more}.get("PYTHONPATH") == ENVIRONMENT.get("PYTHONPATH"), "its modules would stay"
    assert threading.current_thread() is threading.main_thread(), "all threads have these streams"
    given = text(io.BufferedReader(memory(encoded(stdin))))
    with given, memory() as out, memory() as err, pytest.MonkeyPatch.context() as patch:
        streams = {
            "stdin": given,
            "stdout": text(io.BufferedWriter(out)),
            "stderr": text(io.BufferedWriter(err)),
        }
        for name, value in {**streams, "argv": [PROGRAM, *words]}.items():
            patch.setattr(f"sys.{name}", value)
        patch.setattr(THIS, "script", PROGRAM)
        patch.setattr(THIS, "name", THIS.name)
        # What a process learns as it goes on: it reads $TMPDIR once, and warns at its end.
        patch.setattr(tempfile, "tempdir", None)
        patch.setattr(answered_address, "NEWS", answered_address.AddressNews())
        os.environ.update(more)
        if cwd:
            patch.chdir(cwd)
        try:
            with as_descriptors(given, out, err):
                code = run_command_line(words)
                streams["stdout"].flush()
                streams["stderr"].flush()
        finally:
            os.environ.clear()
            os.environ.update(variables)
        return subprocess.CompletedProcess(words, code, written(out), written(err))


def memory(data: bytes = b"") -> io.FileIO:
    file = io.FileIO(os.memfd_create("stream"), "r+")
    file.write(data)
    file.seek(0)
    return file


@contextmanager
def as_descriptors(*files: io.FileIO | io.TextIOWrapper) -> Iterator[None]:
    """Have files as the descriptors 0, 1, … of this process, which its children inherit."""
    before = [os.dup(number) for number in range(len(files))]
    try:
        for number, file in enumerate(files):
            os.dup2(file.fileno(), number)
        yield
    finally:
        for number, old in enumerate(before):
            os.dup2(old, number)
            os.close(old)


def text(stream: io.BufferedReader | io.BufferedWriter) -> io.TextIOWrapper:
    return io.TextIOWrapper(stream, "utf-8", "surrogateescape", newline="\n", write_through=True)


def written(file: io.FileIO) -> str:
    file.seek(0)
    return decoded(file.readall())
