"""Make stdout and stderr safe: a broken pipe never stops work on a machine.

After `open_streams`, all output goes through a `Stream`.
"""

from __future__ import annotations

import errno
import io
import os
import sys

from machinectl.cli.catalogue import PRINTS, RELAYS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from _typeshed import ReadableBuffer


class OutputError(Exception):
    """Not an OSError: handlers of socket and file errors must not catch it."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(f"Cannot write the output: {cause.strerror}")
        # As in `machinectl ls | head -1`.
        self.reader_is_gone = cause.errno == errno.EPIPE


class Stream(io.FileIO):
    """Writes to a descriptor, and discards what fails. The first failure raises if `ends_early`."""

    def __init__(self, given: Any) -> None:
        super().__init__(given.fileno(), "w", closefd=False)
        # Keep the owner: it closes the descriptor when garbage-collected.
        self.given = given
        self.ends_early = False
        self.has_failed = False
        # The last data and the number of bytes written, until the caller knows it.
        self._offered = b""
        self._counts: list[int | None] = []

    def write(self, data: ReadableBuffer, /) -> int:
        count = self._interrupted_count(data)
        if not count:
            self._offered = bytes(data)
            try:
                while True:
                    # extend() is one step: no signal handler raises between the write and its record.
                    self._counts.extend(map(super().write, (data,)))
                    if self._counts[0] is not None:
                        break
                    # Another program may have made the descriptor non-blocking: wait for the reader.
                    import select

                    self._counts = []
                    select.select([], [self], [])
            except OSError as exc:
                self._fail(exc)
                return memoryview(data).nbytes
            count = self._counts[0] or 0
        self._counts = []
        return count

    def _interrupted_count(self, data: ReadableBuffer) -> int:
        """Return how much of the data was written before a signal handler raised: the buffer offers it again."""
        count = self._counts[0] or 0 if self._counts else 0
        if bytes(data).startswith(self._offered[:count]):
            return count
        self._counts = []
        return 0

    def _fail(self, error: OSError) -> None:
        first, self.has_failed = not self.has_failed, True
        if not first:
            return
        problem = OutputError(error)
        if self.ends_early:
            raise problem from error
        if self is streams.get("stdout") and not problem.reader_is_gone:
            sys.stderr.write(f"Warning: {problem}\n")


# Our streams by their names in sys.
streams: dict[str, Stream] = {}


def open_streams() -> None:
    """Wrap sys.stdout and sys.stderr; a closed one (`>&-`) becomes /dev/null. To write to a closed stdout fails."""
    for name, mode in (("stdin", "r"), ("stdout", "r"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115 (open until exit)
            # Inherited, or a child's first file would get this number, and its output.
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)
    sys.stdout, sys.stderr = wrap_stream("stdout", sys.stdout), wrap_stream("stderr", sys.stderr)
    set_output_kind(PRINTS)


def wrap_stream(name: str, given: Any) -> io.TextIOWrapper:
    streams[name] = Stream(given)
    return io.TextIOWrapper(
        io.BufferedWriter(streams[name]),
        encoding=given.encoding,
        errors=given.errors,
        line_buffering=given.line_buffering,
        write_through=given.write_through,
    )


def set_output_kind(purpose: str) -> None:
    """Set the running verb's kind: WORKS, PRINTS or RELAYS."""
    for name, stream in streams.items():
        stream.ends_early = purpose == RELAYS or (purpose == PRINTS and name == "stdout")
