"""Print many machines' output, with names before lines; sanitised only on a terminal."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from machinectl.cli.output.exit_status import report
from machinectl.cli.output.stdout import print_json
from machinectl.cli.output.style import coloured, harmless
from machinectl.machines.record import natural
from machinectl.process_streams import Input
from machinectl.ssh.runner import status_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from machinectl.errors import MachineError
    from machinectl.hosts.output_streams import CommandEnded

# Break longer lines, in bytes.
LONGEST_LINE = 1 << 20
# The most output per machine that is kept to print it together or as JSON, in bytes.
MOST_KEPT = 16 << 20
# ECMA-48 SGR codes, by machine in turn.
COLOURS = ("36", "33", "32", "35", "34", "31")


class OutputPrinter:
    """Passes output on, byte for byte."""

    def said(self, name: str, data: bytes, on_stderr: bool) -> None:  # noqa: ARG002 (one machine's)
        write(data, on_stderr=on_stderr)

    def ended(self, ended: CommandEnded) -> None:
        """A machine has ended."""


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

    def said(self, name: str, data: bytes, on_stderr: bool) -> None:
        source = (name, on_stderr)
        *lines, begun = (self._begun.pop(source, b"") + data).split(b"\n")
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


class Grouped(OutputPrinter):
    """Prints a machine's output when it ends; beyond MOST_KEPT, lines at once."""

    def __init__(self, names: Sequence[str]) -> None:
        self._lines = Lines(names)
        self._kept: dict[str, list[tuple[bytes, bool]]] = {name: [] for name in names}
        self._length: Counter[str] = Counter()

    def said(self, name: str, data: bytes, on_stderr: bool) -> None:
        self._length[name] += len(data)
        self._kept[name].append((data, on_stderr))
        if self._length[name] > MOST_KEPT:
            self._show(name)

    def ended(self, ended: CommandEnded) -> None:
        self._show(ended.name)
        self._lines.ended(ended)

    def _show(self, name: str) -> None:
        pieces, self._kept[name] = self._kept[name], []
        for piece in pieces:
            self._lines.said(name, *piece)


class AsJSON(OutputPrinter):
    """Prints a JSON object per machine; `Truncated` beyond MOST_KEPT."""

    def __init__(self, names: Sequence[str]) -> None:
        # Stdout and stderr.
        self._kept = {name: (bytearray(), bytearray()) for name in names}
        self._cut: set[str] = set()

    def said(self, name: str, data: bytes, on_stderr: bool) -> None:
        kept = self._kept[name]
        room = MOST_KEPT - sum(map(len, kept))
        if len(data) > room:
            self._cut.add(name)
        kept[on_stderr].extend(data[:room])

    def ended(self, ended: CommandEnded) -> None:
        stdout, stderr = (data.decode(errors="replace") for data in self._kept.pop(ended.name))
        report = {
            "Name": ended.name,
            "Status": ended.status,
            "Stdout": stdout,
            "Stderr": stderr,
            "Seconds": round(ended.seconds, 3),
            "Error": ended.error.cause if ended.error else "",
            "Truncated": ended.name in self._cut,
        }
        print_json(report, indent=None)


def stream(on_stderr: bool) -> Any:
    return sys.stderr if on_stderr else sys.stdout


def fit(line: bytes, on_stderr: bool) -> bytes:
    if not stream(on_stderr).isatty():
        return line
    text = line.removesuffix(b"\r").decode(errors="backslashreplace")
    return harmless(text).encode(stream(on_stderr).encoding, "backslashreplace")


def write(data: bytes, *, on_stderr: bool) -> None:
    if data:
        target = stream(on_stderr)
        target.flush()
        target.buffer.write(data)
        target.buffer.flush()


def stdin_for(names: Sequence[str]) -> Input | None:
    """Return stdin for the machines' commands, None if it is a terminal."""
    return None if sys.stdin.isatty() else Input(sys.stdin.fileno(), shared=len(names) > 1)


def printer_for(names: Sequence[str], *, group: bool, as_json: bool) -> OutputPrinter:
    if as_json:
        return AsJSON(names)
    return Grouped(names) if group else Lines(names)


def print_ends(
    ends: Iterable[CommandEnded], printer: OutputPrinter, given: Input | None, failing: int, program: str
) -> int:
    """Print how the commands end, and failures; return the highest status, `failing` for an error."""
    ended = []
    for each in ends:
        printer.ended(each)
        ended.append(each)
    of_all = given.failure if given else None
    report_failed(ended, program, with_errors=not isinstance(printer, AsJSON), of_all=of_all)
    return max((failing if each.status is None else each.status for each in ended), default=0)


def report_failed(
    ended: Sequence[CommandEnded], program: str, *, with_errors: bool, of_all: MachineError | None
) -> None:
    """Report errors, and in one line how each machine failed.

    `of_all` is the common cause, if all were stopped.
    """
    failed = sorted((each for each in ended if each.status != 0), key=lambda each: natural(each.name))
    if not failed:
        return
    # Report a shared error, such as unreadable input, once.
    causes: dict[MachineError, list[str]] = {of_all: []} if of_all else {}
    for each in failed:
        if each.error:
            causes.setdefault(each.error, []).append(each.name)
    for error, names in causes.items():
        if len(names) == 1 and error is not of_all and with_errors:
            report(error.named(names[0]), program)
        elif len(names) != 1 or error is of_all:
            report(error, program)
    outcomes = []
    for each in failed:
        text = "error" if each.status is None else status_text(each.status)
        outcomes.append(f"{each.name} ({'timed out' if each.is_late else text})")
    print(harmless(f"{len(failed)} of {len(ended)} failed: {', '.join(outcomes)}"), file=sys.stderr, flush=True)
