"""How the output of many machines is printed: how much is held back, and that none is lost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from machinectl.cli.output.machine_streams import MOST_KEPT, AsJSON, Grouped
from machinectl.hosts.output_streams import CommandEnded

if TYPE_CHECKING:
    import pytest

    from machinectl.cli.output.machine_streams import OutputPrinter

PIECE = b"0123456789abcde\n" * (1 << 12)


def say(printer: OutputPrinter, name: str, size: int) -> None:
    for _ in range(size // len(PIECE)):
        printer.said(name, PIECE, False)


def lines_of(name: str, size: int) -> bytes:
    return b"".join(b"%s | %s\n" % (name.encode(), line) for line in PIECE.splitlines()) * (size // len(PIECE))


def test_grouped_lines_of_two_are_apart(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    printer = Grouped(["a", "b"])
    for name in ("a", "b", "a"):
        say(printer, name, len(PIECE))
    printer.ended(CommandEnded("b", 0, None, 1))
    printer.ended(CommandEnded("a", 0, None, 1))
    assert capsysbinary.readouterr() == (lines_of("b", len(PIECE)) + lines_of("a", 2 * len(PIECE)), b"")


def test_grouped_output_beyond_the_limit_is_printed_as_it_comes(
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    printer = Grouped(["a"])
    say(printer, "a", MOST_KEPT)
    assert capsysbinary.readouterr() == (b"", b"")
    say(printer, "a", len(PIECE))
    assert capsysbinary.readouterr().out == lines_of("a", MOST_KEPT + len(PIECE))
    say(printer, "a", len(PIECE))
    assert capsysbinary.readouterr().out == lines_of("a", len(PIECE))


def test_json_is_printed_when_each_machine_ends_and_cut_at_the_limit(
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    printer = AsJSON(["a", "b"])
    say(printer, "a", MOST_KEPT)
    say(printer, "b", MOST_KEPT + len(PIECE))
    for name in ("b", "a"):
        printer.ended(CommandEnded(name, 0, None, 1))
        found = json.loads(capsysbinary.readouterr().out)
        assert (found["Name"], len(found["Stdout"]), found["Truncated"]) == (name, MOST_KEPT, name == "b")


def test_json_is_utf_8_whatever_a_command_writes(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    printer = AsJSON(["a"])
    data = bytes(range(256)) * 100
    printer.said("a", data, True)
    printer.ended(CommandEnded("a", None, None, 1))
    out = capsysbinary.readouterr().out
    assert out.count(b"\n") == 1
    told = json.loads(out.decode())["Stderr"]
    assert told[:128] == data[:128].decode()
    assert set(told[128:256]) == {"\ufffd"}
