"""Take over the terminal's screen, redraw it and restore it."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

from machinectl.cli.output.stdout import draw

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

# xterm's private modes, which other terminals know or ignore: alternate screen (1049), hidden cursor (25), no line wrap
# (7).
ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"
# Synchronised output (mode 2026): show the frame at once. The cursor goes home first.
BEGIN, END = "\x1b[?2026h\x1b[H", "\x1b[?2026l"
# ECMA-48: clear the rest of the line, of the screen.
CLEAR_LINE, CLEAR_BELOW = "\x1b[K", "\x1b[J"
# More than anybody types at once.
MANY = 4096


class Screen:
    """Stdout's screen while entered; the shell does not get what is typed meanwhile."""

    def __init__(self) -> None:
        self._modes: list[Any] | None = None

    def __enter__(self) -> Self:
        self._modes = without_lines()
        draw(ENTER)
        return self

    def __exit__(self, *_: object) -> None:
        draw(LEAVE)
        with_lines(self._modes)

    def typed(self) -> bytes:
        """Return the keys that were pressed since the last call."""
        if self._modes is None or not select.select([sys.stdin], [], [], 0)[0]:
            return b""
        try:
            return os.read(sys.stdin.fileno(), MANY)
        except OSError:
            # The terminal is gone.
            return b""

    def size(self) -> tuple[int, int]:
        """Return columns and lines; the last column is for the cursor."""
        columns, lines = os.get_terminal_size(sys.stdout.fileno())
        return max(columns - 1, 1), max(lines, 1)

    def show(self, lines: Sequence[str]) -> None:
        """Overwrite the screen without clearing it first, which would flicker."""
        draw(BEGIN + "\r\n".join(f"{line}{CLEAR_LINE}" for line in lines) + CLEAR_BELOW + END)

    def suspend(self) -> None:
        """Restore the screen, stop as at ^Z, and redraw when continued."""
        self.__exit__()
        before = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        # Signal this thread: the call returns only after the signal arrives.
        signal.pthread_kill(threading.get_ident(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, before)
        self.__enter__()


def without_lines() -> list[Any] | None:
    """Turn echo off, and read keys without Enter; return the earlier modes, None without a terminal."""
    if not sys.stdin.isatty():
        return None
    import termios

    before = termios.tcgetattr(sys.stdin)
    now = termios.tcgetattr(sys.stdin)
    now[3] &= ~(termios.ECHO | termios.ICANON)
    now[6][termios.VMIN], now[6][termios.VTIME] = 1, 0
    termios.tcsetattr(sys.stdin, termios.TCSADRAIN, now)
    return before


def with_lines(modes: list[Any] | None) -> None:
    if modes is not None:
        import termios

        # Discard typed text, or the shell would run it.
        termios.tcsetattr(sys.stdin, termios.TCSAFLUSH, modes)
