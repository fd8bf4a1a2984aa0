"""stdout and stderr: writing to them never breaks work on a machine.

Once `open_streams` was called, whatever is printed, by whomever (Typer, rich, print), goes through `Stream`.
"""

from __future__ import annotations

import errno
import io
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from _typeshed import ReadableBuffer

# What a verb is for, which decides what ends it early: nothing; stdout that cannot be written; either stream.
WORKS, PRINTS, RELAYS = "works", "prints", "relays"


class OutputError(Exception):
    """The output cannot be written. No OSError: nobody takes it for a failure of a socket, a file or a program."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(f"Cannot write the output: {cause.strerror}")
        # `machinectl ls | head -1` has what it wanted.
        self.reader_is_gone = cause.errno == errno.EPIPE


class Stream(io.FileIO):
    """A descriptor. What it cannot be told is lost, which is an error, once, only where that `ends_early` the verb."""

    def __init__(self, given: Any) -> None:
        super().__init__(given.fileno(), "w", closefd=False)
        # Whose descriptor it is: it closes that where nobody knows it any more.
        self.given = given
        self.ends_early = False
        self.has_failed = False

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            while (count := super().write(data)) is None:
                self._wait()
        except OSError as exc:
            self._fail(exc)
            return memoryview(data).nbytes
        return count

    def _wait(self) -> None:
        """Wait for the reader, where another program has made the descriptor a non-blocking one."""
        import select

        select.select([], [self], [])

    def _fail(self, error: OSError) -> None:
        first, self.has_failed = not self.has_failed, True
        if not first:
            return
        problem = OutputError(error)
        if self.ends_early:
            raise problem from error
        if self is streams.get("stdout") and not problem.reader_is_gone:
            sys.stderr.write(f"Warning: {problem}\n")


# By their names in sys, those that are ours.
streams: dict[str, Stream] = {}


def open_streams() -> None:
    """Make the process's streams ours; one that it was started without (`>&-`) is one that can be written to."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 (it stays open to the end)
    sys.stdout, sys.stderr = ours("stdout", sys.stdout), ours("stderr", sys.stderr)
    is_for(PRINTS)


def ours(name: str, given: Any) -> io.TextIOWrapper:
    """The same stream, which writes by a Stream."""
    streams[name] = Stream(given)
    return io.TextIOWrapper(
        io.BufferedWriter(streams[name]),
        encoding=given.encoding,
        errors=given.errors,
        line_buffering=given.line_buffering,
        write_through=given.write_through,
    )


def is_for(purpose: str) -> None:
    """Say what the verb that runs is for: whether it ends where its output cannot be written."""
    for name, stream in streams.items():
        stream.ends_early = purpose == RELAYS or (purpose == PRINTS and name == "stdout")
