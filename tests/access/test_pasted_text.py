"""Text that is pasted at a terminal."""

from __future__ import annotations

import os
import pty
import select
import termios
from typing import TYPE_CHECKING

from machinectl.verbs.access_texts import drop_typed

if TYPE_CHECKING:
    import pytest


def test_pieces_that_arrive_while_a_paste_is_dropped_are_dropped_too(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    flush, pieces = termios.tcflush, [b"y", b"y\n"]

    def flush_before_the_next_piece(terminal: int, queue: int) -> None:
        flush(terminal, queue)
        if pieces:
            os.write(ours, pieces.pop())

    monkeypatch.setattr(termios, "tcflush", flush_before_the_next_piece)
    with open(theirs, encoding="utf-8") as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        os.write(ours, b"y\n")
        drop_typed()
        os.write(ours, b"n\n")
        assert select.select([terminal], [], [], 10)[0]
        assert terminal.readline() == "n\n"
    assert pieces == []
    os.close(ours)
