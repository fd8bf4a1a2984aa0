"""Print many machines' output, with names before lines; sanitised only on a terminal."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from machinectl.cli.output.exit_status import warning
from machinectl.cli.output.sanitise import harmless
from machinectl.cli.output.style import coloured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.hosts.output_streams import CommandEnded, OutputPiece

# Break longer lines, in bytes.
LONGEST_LINE = 1 << 20
# The most output per machine that is kept to print it together or as JSON, in bytes.
MOST_KEPT = 16 << 20
# ECMA-48 SGR codes, by machine in turn.
COLOURS = ("36", "33", "32", "35", "34", "31")


class OutputPrinter(ABC):
    @abstractmethod
    def said(self, said: OutputPiece) -> None: ...

    @abstractmethod
    def ended(self, ended: CommandEnded) -> None:
        """A machine has ended."""


class AsIs(OutputPrinter):
    """Passes one machine's output on, byte for byte."""

    def said(self, said: OutputPiece) -> None:
        write(said.data, on_stderr=said.on_stderr)

    def ended(self, ended: CommandEnded) -> None:
        pass


class Lines(OutputPrinter):
    """Prints whole lines, each with its machine's name."""

    def __init__(self, names: Sequence[str]) -> None:
        width = max(map(len, names), default=0)
        self._prefixes: dict[tuple[str, bool], bytes] = {}
        for at, name in enumerate(names):
            for on_stderr in (False, True):
                shown = coloured(f"{name:{width}}", COLOURS[at % len(COLOURS)], stream(on_stderr))
                self._prefixes[name, on_stderr] = f"{shown} | ".encode()
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
        for on_stderr in (False, True):
            if begun := self._begun.pop((ended.name, on_stderr), b""):
                self._print((ended.name, on_stderr), [begun])

    def _print(self, source: tuple[str, bool], lines: Sequence[bytes]) -> None:
        prefix = self._prefixes[source]
        write(b"".join(b"%s%s\n" % (prefix, fit(line, source[1])) for line in lines), on_stderr=source[1])


class Kept:
    """A machine's output in order."""

    def __init__(self) -> None:
        self.pieces: list[OutputPiece] = []
        self.length = 0

    def add(self, said: OutputPiece) -> None:
        self.pieces.append(said)
        self.length += len(said.data)

    def of(self, *, on_stderr: bool) -> str:
        data = b"".join(piece.data for piece in self.pieces if piece.on_stderr is on_stderr)
        return data.decode(errors="surrogateescape")


class Grouped(OutputPrinter):
    """Prints a machine's output when it ends; beyond MOST_KEPT, it warns and prints lines at once."""

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
        kept.add(said)
        if kept.length > MOST_KEPT:
            warn(f'Printing the output of "{said.name}" as it comes: it is more than {MOST_KEPT >> 20} MB')
            self._apart.add(said.name)
            self._show(said.name)

    def ended(self, ended: CommandEnded) -> None:
        self._show(ended.name)
        self._lines.ended(ended)

    def _show(self, name: str) -> None:
        for piece in self._kept.pop(name, Kept()).pieces:
            self._lines.said(piece)


class AsJSON(OutputPrinter):
    """Prints a JSON object per machine; `Truncated` beyond MOST_KEPT."""

    def __init__(self, names: Sequence[str]) -> None:
        self._kept = {name: Kept() for name in names}
        self._cut: set[str] = set()

    def said(self, said: OutputPiece) -> None:
        kept = self._kept[said.name]
        room = MOST_KEPT - kept.length
        if len(said.data) > room:
            self._cut.add(said.name)
        if room:
            kept.add(said._replace(data=said.data[:room]))

    def ended(self, ended: CommandEnded) -> None:
        from machinectl.cli.output.stdout import print_json

        kept = self._kept.pop(ended.name)
        found = {
            "Name": ended.name,
            "Status": ended.status,
            "Stdout": kept.of(on_stderr=False),
            "Stderr": kept.of(on_stderr=True),
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
