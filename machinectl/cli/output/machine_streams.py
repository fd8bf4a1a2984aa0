"""Print many machines' output, with names before lines; sanitised only on a terminal."""

from __future__ import annotations

import os
import struct
import sys
import time
from abc import ABC, abstractmethod
from contextlib import closing
from typing import TYPE_CHECKING, Any

from machinectl.cli.output.exit_status import warning
from machinectl.cli.output.sanitise import harmless
from machinectl.cli.output.style import BOLD, coloured
from machinectl.hosts.parallel.output_streams import OutputPiece
from machinectl.process_streams import spool_failure, temporary_file, write_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import IO

    from machinectl.hosts.parallel.output_streams import CommandEnded

# Break longer lines, in bytes.
LONGEST_LINE = 1 << 20
# The most output per machine in JSON, in bytes.
MOST_IN_JSON = 16 << 20
# Limits of buffered output in bytes: per machine to print it together, of all machines to fold equal outputs, and per
# machine in memory.
MOST_TOGETHER = 16 << 20
MOST_FOLDED = 16 << 20
IN_MEMORY = 1 << 16
# Header of a kept piece: whether it came on stderr, and its length.
PIECE = struct.Struct("?I")
# How long to wait for all machines before equal outputs are folded. Seconds.
FOLDING_SECONDS = 3.0
# ECMA-48 SGR codes, by machine in turn.
COLOURS = ("36", "33", "32", "35", "34", "31")


class OutputPrinter(ABC):
    @abstractmethod
    def said(self, said: OutputPiece) -> None: ...

    @abstractmethod
    def ended(self, ended: CommandEnded) -> None:
        """A machine has ended."""

    def waits(self) -> None:  # noqa: B027 (most printers do nothing then)
        """No output came for a moment."""

    def finish(self) -> None:  # noqa: B027
        """All machines have ended."""


class AsIs(OutputPrinter):
    """Passes one machine's output on, byte for byte."""

    def said(self, said: OutputPiece) -> None:
        write(said.data, on_stderr=said.on_stderr)

    def ended(self, ended: CommandEnded) -> None:
        pass


class Lines(OutputPrinter):
    """Prints whole lines, each with its machine's name unless `bare`."""

    def __init__(self, names: Sequence[str], *, bare: bool = False) -> None:
        width = max(map(len, names), default=0)
        self._prefixes: dict[tuple[str, bool], bytes] = {}
        for at, name in enumerate(names):
            for on_stderr in (False, True):
                shown = coloured(f"{name:{width}}", COLOURS[at % len(COLOURS)], stream(on_stderr))
                self._prefixes[name, on_stderr] = b"" if bare else f"{shown} | ".encode()
        self._begun: dict[tuple[str, bool], bytes] = {}

    def said(self, said: OutputPiece) -> None:
        source = (said.name, said.on_stderr)
        *lines, begun = (self._begun.pop(source, b"") + said.data).split(b"\n")
        while len(begun) > LONGEST_LINE:
            lines.append(begun[:LONGEST_LINE])
            begun = begun[LONGEST_LINE:]
        if begun:
            self._begun[source] = begun
        self._print(source, lines)

    def ended(self, ended: CommandEnded) -> None:
        self.flush(ended.name)

    def flush(self, name: str) -> None:
        """Print lines that have no end yet."""
        for on_stderr in (False, True):
            if begun := self._begun.pop((name, on_stderr), b""):
                self._print((name, on_stderr), [begun])

    def _print(self, source: tuple[str, bool], lines: Sequence[bytes]) -> None:
        prefix = self._prefixes[source]
        write(b"".join(b"%s%s\n" % (prefix, fit(line, source[1])) for line in lines), on_stderr=source[1])


class Kept:
    """A machine's output in order, in a file beyond `most` bytes."""

    def __init__(self, most: int = IN_MEMORY) -> None:
        # Imported late: Lines does not need it.
        import hashlib

        self._most = most
        self._memory = bytearray()
        self._file: IO[bytes] | None = None
        self._end = 0
        self._sums = (hashlib.sha256(), hashlib.sha256())
        self.length = 0
        self.status: int | None = None

    def add(self, data: bytes, *, on_stderr: bool) -> None:
        """Keep a piece. Raises OSError if the disk is full; earlier pieces stay."""
        piece = PIECE.pack(on_stderr, len(data)) + data
        if self._file is None and len(self._memory) + len(piece) > self._most:
            # Closing the file frees its space at once.
            self._file = temporary_file()
            write_at(self._file.fileno(), bytes(self._memory), 0)
            self._end = len(self._memory)
        if self._file:
            write_at(self._file.fileno(), piece, self._end)
            self._end += len(piece)
        else:
            self._memory += piece
        self._sums[on_stderr].update(data)
        self.length += len(data)

    @property
    def sums(self) -> tuple[bytes, bytes, int | None]:
        """Return values that are equal for equal output and exit status."""
        return self._sums[False].digest(), self._sums[True].digest(), self.status

    def pieces(self) -> Iterator[tuple[bytes, bool]]:
        at = 0
        while at < (self._end if self._file else len(self._memory)):
            on_stderr, length = PIECE.unpack(self._get(at, PIECE.size))
            at += PIECE.size
            yield self._get(at, length), on_stderr
            at += length

    def of(self, *, on_stderr: bool) -> bytes:
        return b"".join(data for data, stderr in self.pieces() if stderr is on_stderr)

    def close(self) -> None:
        if self._file:
            self._file.close()

    def _get(self, at: int, length: int) -> bytes:
        return os.pread(self._file.fileno(), length, at) if self._file else bytes(self._memory[at : at + length])


class Grouped(OutputPrinter):
    """Prints a machine's output when it ends.

    Beyond MOST_TOGETHER, or if the disk is full, it warns and prints lines at once.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._lines = Lines(names)
        self._kept: dict[str, Kept] = {}
        # Machines whose lines are printed as they come.
        self._apart: set[str] = set()

    def said(self, said: OutputPiece) -> None:
        if said.name in self._apart:
            self._lines.said(said)
            return
        kept = self._kept.setdefault(said.name, Kept())
        why = f"it is more than {MOST_TOGETHER >> 20} MB"
        try:
            if kept.length + len(said.data) <= MOST_TOGETHER:
                kept.add(said.data, on_stderr=said.on_stderr)
                return
        except OSError as exc:
            why = f"it cannot be kept in {spool_failure(exc)}"
        warn(f'Printing the output of "{said.name}" as it comes: {why}')
        self._apart.add(said.name)
        self._show(said.name)
        self._lines.said(said)

    def ended(self, ended: CommandEnded) -> None:
        self._show(ended.name)
        self._lines.ended(ended)

    def _show(self, name: str) -> None:
        if kept := self._kept.pop(name, None):
            with closing(kept):
                replay(self._lines, name, kept)


class Folded(OutputPrinter):
    """Prints equal outputs once, under all their machines' names, on a terminal.

    After FOLDING_SECONDS or MOST_FOLDED bytes it prints the machines that have ended; the others by line, or `together`
    at their end.
    """

    def __init__(self, names: Sequence[str], *, together: bool) -> None:
        self._names = names
        # Only in memory: many files could exceed the limit of open files.
        self._kept = {name: Kept(sys.maxsize) for name in names}
        self._length = 0
        self._whole: list[str] = []
        self._then: OutputPrinter = Grouped(names) if together else Lines(names)
        self._is_late = False
        self._until = time.monotonic() + FOLDING_SECONDS

    def said(self, said: OutputPiece) -> None:
        if self._is_late:
            self._then.said(said)
        else:
            self._kept[said.name].add(said.data, on_stderr=said.on_stderr)
            self._length += len(said.data)
            self.waits()

    def ended(self, ended: CommandEnded) -> None:
        if self._is_late:
            self._then.ended(ended)
        else:
            self._kept[ended.name].status = ended.status
            self._whole.append(ended.name)
            self.waits()

    def waits(self) -> None:
        if not self._is_late and (time.monotonic() >= self._until or self._length > MOST_FOLDED):
            self._wait_no_longer()

    def finish(self) -> None:
        if not self._is_late:
            self._show_whole()

    def _wait_no_longer(self) -> None:
        self._is_late = True
        self._show_whole()
        for name in self._names:
            if name not in self._whole:
                replay(self._then, name, self._kept.pop(name))

    def _show_whole(self) -> None:
        alike: dict[Any, list[str]] = {}
        for name in sorted(self._whole, key=self._names.index):
            if self._kept[name].length:
                alike.setdefault(self._kept[name].sums, []).append(name)
        for names in alike.values():
            count = f"{len(names)} hosts: " if len(names) > 1 else ""
            ending = "" if len(names) > 1 else ":"
            heading = coloured(f"{count}{', '.join(names)}{ending}", BOLD, sys.stdout)
            write(f"{heading}\n".encode(), on_stderr=False)
            lines = Lines(names[:1], bare=True)
            replay(lines, names[0], self._kept[names[0]])
            lines.flush(names[0])


def replay(printer: OutputPrinter, name: str, kept: Kept) -> None:
    for data, on_stderr in kept.pieces():
        printer.said(OutputPiece(name, data, on_stderr))


class AsJSON(OutputPrinter):
    """Prints a JSON object per machine; `Truncated` beyond MOST_IN_JSON or if the disk is full."""

    def __init__(self, names: Sequence[str]) -> None:
        self._kept = {name: Kept() for name in names}
        self._cut: set[str] = set()

    def said(self, said: OutputPiece) -> None:
        if said.name in self._cut:
            return
        kept = self._kept[said.name]
        data = said.data[: MOST_IN_JSON - kept.length]
        if len(data) < len(said.data):
            self._cut.add(said.name)
        try:
            kept.add(data, on_stderr=said.on_stderr)
        except OSError as exc:
            self._cut.add(said.name)
            warn(f'The output of "{said.name}" is cut: it cannot be kept in {spool_failure(exc)}')

    def ended(self, ended: CommandEnded) -> None:
        from machinectl.cli.output.stdout import print_json

        with closing(self._kept.pop(ended.name)) as kept:
            found = {
                "Name": ended.name,
                "Status": ended.status,
                "Stdout": kept.of(on_stderr=False).decode(errors="surrogateescape"),
                "Stderr": kept.of(on_stderr=True).decode(errors="surrogateescape"),
                "Seconds": round(ended.seconds, 3),
                "Error": ended.error.cause if ended.error else "",
                "Truncated": ended.name in self._cut,
            }
        print_json(found, indent=None)


def warn(text: str) -> None:
    write(f"{warning(text)}\n".encode(errors="surrogateescape"), on_stderr=True)


def stream(on_stderr: bool) -> Any:
    return sys.stderr if on_stderr else sys.stdout


def fit(line: bytes, on_stderr: bool) -> bytes:
    if not stream(on_stderr).isatty():
        return line
    text = line.removesuffix(b"\r").decode(errors="backslashreplace")
    return harmless(text).encode(stream(on_stderr).encoding, "backslashreplace")


def write(data: bytes, *, on_stderr: bool) -> None:
    if not data:
        return
    target = stream(on_stderr)
    target.flush()
    target.buffer.write(data)
    target.buffer.flush()
