"""Run a command line of machinectl in this process: a fifth of the CPU time of a fork.

What a process adds (signals, a terminal, kills, descriptors, its start and its end) needs `tests.support.program`.
"""

from __future__ import annotations

import io
import os
import subprocess
import tempfile
import threading
from typing import TYPE_CHECKING

import pytest

from machinectl.cli.invocation import THIS
from machinectl.cli.main import run_command_line
from tests.support.forked import ENVIRONMENT, at_start
from tests.support.program import PROGRAM, decoded

if TYPE_CHECKING:
    from collections.abc import Mapping
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
    with stream() as given, stream() as out, stream() as err, pytest.MonkeyPatch.context() as patch:
        given.write(stdin)
        given.seek(0)
        for name, value in (("stdin", given), ("stdout", out), ("stderr", err), ("argv", [PROGRAM, *words])):
            patch.setattr(f"sys.{name}", value)
        patch.setattr(THIS, "script", PROGRAM)
        os.environ.update(more)
        if cwd:
            patch.chdir(cwd)
        try:
            code = run_command_line(words)
        finally:
            os.environ.clear()
            os.environ.update(variables)
        return subprocess.CompletedProcess(words, code, written(out), written(err))


def stream() -> io.TextIOWrapper:
    """Return a stream that becomes a file if its descriptor is asked for."""
    file = tempfile.SpooledTemporaryFile(1 << 30)  # noqa: SIM115 (closed with the stream)
    return io.TextIOWrapper(file, "utf-8", "surrogateescape", newline="\n", write_through=True)


def written(file: io.TextIOWrapper) -> str:
    file.flush()
    file.seek(0)
    return decoded(bytes(file.buffer.read()))
