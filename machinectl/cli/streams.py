"""How what many machines say at once is printed: each stream on its own, a machine's name before each of its lines.

A program gets each byte as it was, a terminal nothing that it would take for a command.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any, Protocol

from machinectl.cli.colours import coloured
from machinectl.cli.harmless import harmless
from machinectl.hosts.following import Said

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.hosts.following import Ended

# What a line may be long, in bytes; what is longer, or has no end, is broken into such ones.
LONGEST_LINE = 1 << 20
# How much of what a machine says JSON holds, in bytes.
MOST_IN_JSON = 16 << 20
# How much is read back at once, in bytes.
CHUNK = 1 << 16
# How long a terminal waits for all to end, to show equal outputs once; then it shows what there is. Seconds.
FOLDING_SECONDS = 3.0
# ECMA-48's SGR, one machine after the other.
COLOURS = ("36", "33", "32", "35", "34", "31")
BOLD = "1"


class Printer(Protocol):
    """Prints what machines say."""

    def said(self, said: Said) -> None: ...

    # A machine has said all.
    def ended(self, ended: Ended) -> None: ...

    # Nothing has come for a moment.
    def waits(self) -> None: ...

    # All have ended.
    def finish(self) -> None: ...


class Lines:
    """Prints each line as soon as it is whole."""

    def __init__(self, names: Sequence[str]) -> None:
        width = max(map(len, names), default=0)
        self._prefixes = {
            (
                name,
                on_stderr,
            ): f"{coloured(f'{name:{width}}', COLOURS[at % len(COLOURS)], stream(on_stderr))} | ".encode()
            for at, name in enumerate(names)
            for on_stderr in (False, True)
        }
        self._begun: dict[tuple[str, bool], bytes] = {}

    def said(self, said: Said) -> None:
        source = (said.name, said.on_stderr)
        *lines, begun = (self._begun.pop(source, b"") + said.data).split(b"\n")
        while len(begun) > LONGEST_LINE:
            lines.append(begun[:LONGEST_LINE])
            begun = begun[LONGEST_LINE:]
        if begun:
            self._begun[source] = begun
        self._print(source, lines)

    def ended(self, ended: Ended) -> None:
        for on_stderr in (False, True):
            source = (ended.name, on_stderr)
            if begun := self._begun.pop(source, b""):
                self._print(source, [begun])

    def waits(self) -> None:
        pass

    def finish(self) -> None:
        pass

    def _print(self, source: tuple[str, bool], lines: Sequence[bytes]) -> None:
        prefix = self._prefixes[source]
        write(b"".join(b"%s%s\n" % (prefix, fit(line, source[1])) for line in lines), on_stderr=source[1])


class Kept:
    """What one machine has said so far, in its order; it is in the shelf."""

    def __init__(self, shelf: Shelf) -> None:
        # Lines that are printed as they come pay for no such thing, nor for the shelf's.
        import hashlib

        self._shelf = shelf
        # Where each piece is: on which stream it was said, where it begins, and how long it is.
        self._pieces: list[tuple[bool, int, int]] = []
        self._sums = (hashlib.sha256(), hashlib.sha256())
        self.length = 0
        self.status: int | None = None

    def add(self, data: bytes, *, on_stderr: bool) -> None:
        self._pieces.append((on_stderr, self._shelf.put(data), len(data)))
        self._sums[on_stderr].update(data)
        self.length += len(data)

    @property
    def sums(self) -> tuple[bytes, bytes, int | None]:
        """Equal where another machine has said the same on each stream, and ended in the same way."""
        return self._sums[False].digest(), self._sums[True].digest(), self.status

    def pieces(self) -> Iterator[tuple[bytes, bool]]:
        for on_stderr, at, length in self._pieces:
            for start in range(at, at + length, CHUNK):
                yield self._shelf.get(start, min(CHUNK, at + length - start)), on_stderr

    def of(self, *, on_stderr: bool) -> bytes:
        return b"".join(data for data, stderr in self.pieces() if stderr is on_stderr)


class Shelf:
    """A file without a name for what is held back: it may be more than memory holds."""

    def __init__(self) -> None:
        import tempfile

        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - it lasts as long as this does
        self._length = 0

    def put(self, data: bytes) -> int:
        """Keep something, and return where it is."""
        at = self._length
        while data:
            written = os.pwrite(self._file.fileno(), data, self._length)
            self._length += written
            data = data[written:]
        return at

    def get(self, at: int, length: int) -> bytes:
        return os.pread(self._file.fileno(), length, at)


class Grouped:
    """Prints what each machine has said when it has ended, all of it together."""

    def __init__(self, names: Sequence[str]) -> None:
        self._lines = Lines(names)
        self._shelf = Shelf()
        self._kept: dict[str, Kept] = {}

    def said(self, said: Said) -> None:
        self._kept.setdefault(said.name, Kept(self._shelf)).add(said.data, on_stderr=said.on_stderr)

    def ended(self, ended: Ended) -> None:
        if kept := self._kept.pop(ended.name, None):
            say_again(self._lines, ended.name, kept)
        self._lines.ended(ended)

    def waits(self) -> None:
        pass

    def finish(self) -> None:
        pass


class Folded:
    """Prints equal outputs once, under the names of all machines that have said the same: for a terminal.

    Where some take longer than FOLDING_SECONDS, those that have ended by then are shown so, and the others by their
    lines; with `together`, each when it ends.
    """

    def __init__(self, names: Sequence[str], *, together: bool) -> None:
        self._names = names
        self._shelf = Shelf()
        self._kept = {name: Kept(self._shelf) for name in names}
        self._whole: list[str] = []
        self._then: Printer = Grouped(names) if together else Lines(names)
        self._is_late = False
        self._until = time.monotonic() + FOLDING_SECONDS

    def said(self, said: Said) -> None:
        if self._is_late:
            self._then.said(said)
        else:
            self._kept[said.name].add(said.data, on_stderr=said.on_stderr)
            self.waits()

    def ended(self, ended: Ended) -> None:
        if self._is_late:
            self._then.ended(ended)
        else:
            self._kept[ended.name].status = ended.status
            self._whole.append(ended.name)
            self.waits()

    def waits(self) -> None:
        if not self._is_late and time.monotonic() >= self._until:
            self._wait_no_longer()

    def finish(self) -> None:
        if not self._is_late:
            self._show_whole()

    def _wait_no_longer(self) -> None:
        self._is_late = True
        self._show_whole()
        for name in self._names:
            if name not in self._whole:
                say_again(self._then, name, self._kept.pop(name))

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
            show(self._kept[names[0]])


def say_again(printer: Printer, name: str, kept: Kept) -> None:
    for data, on_stderr in kept.pieces():
        printer.said(Said(name, data, on_stderr))


def show(kept: Kept) -> None:
    """Print what a machine has said as it is, each of its streams ending with a line."""
    begun = {False: b"", True: b""}
    for data, on_stderr in kept.pieces():
        *lines, begun[on_stderr] = (begun[on_stderr] + data).split(b"\n")
        write(b"".join(fit(line, on_stderr) + b"\n" for line in lines), on_stderr=on_stderr)
    for on_stderr, left in begun.items():
        if left:
            write(fit(left, on_stderr) + b"\n", on_stderr=on_stderr)


class AsJSON:
    """Prints one list when all have ended: an object for each machine."""

    def __init__(self, names: Sequence[str]) -> None:
        self._shelf = Shelf()
        self._kept = {name: Kept(self._shelf) for name in names}
        self._ended: dict[str, Ended] = {}

    def said(self, said: Said) -> None:
        kept = self._kept[said.name]
        kept.add(said.data[: max(0, MOST_IN_JSON - kept.length)], on_stderr=said.on_stderr)

    def ended(self, ended: Ended) -> None:
        self._ended[ended.name] = ended

    def waits(self) -> None:
        pass

    def finish(self) -> None:
        from machinectl.cli.output import print_json

        print_json([self._fields(name) for name in self._kept if name in self._ended])

    def _fields(self, name: str) -> dict[str, Any]:
        ended, kept = self._ended[name], self._kept[name]
        error = ended.error.cause if ended.error else ""
        if not error and kept.length >= MOST_IN_JSON:
            error = f"It said {MOST_IN_JSON >> 20} MB or more: the rest is left out"
        return {
            "Name": name,
            "Status": ended.status,
            "Stdout": kept.of(on_stderr=False).decode(errors="surrogateescape"),
            "Stderr": kept.of(on_stderr=True).decode(errors="surrogateescape"),
            "Seconds": round(ended.seconds, 3),
            "Error": error,
        }


def stream(on_stderr: bool) -> Any:
    return sys.stderr if on_stderr else sys.stdout


def fit(line: bytes, on_stderr: bool) -> bytes:
    """A line as its stream may have it."""
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
