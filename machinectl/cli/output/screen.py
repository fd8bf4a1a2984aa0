"""A terminal's screen that is drawn on again and again, in place, and then given back as it was."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

from machinectl.cli.output.stdout import draw

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

# xterm's private modes, which all terminals of today know or leave alone: another screen, so that what was printed
# before stays (1049); no cursor (25); no line goes on in the next one (7).
ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"
# What is between these two is shown at once (mode 2026); the cursor goes to the first line.
BEGIN, END = "\x1b[?2026h\x1b[H", "\x1b[?2026l"
# ECMA-48: clear the rest of the line, of the screen.
CLEAR_LINE, CLEAR_BELOW = "\x1b[K", "\x1b[J"


class Screen:
    """The screen of stdout, ours while this is entered: nothing of what is typed meanwhile is seen or kept."""

    def __init__(self) -> None:
        self._modes: list[Any] | None = None

    def __enter__(self) -> Self:
        self._modes = without_echo()
        draw(ENTER)
        return self

    def __exit__(self, *_: object) -> None:
        draw(LEAVE)
        with_echo(self._modes)

    def size(self) -> tuple[int, int]:
        """How many columns can be written to, and how many lines: the last column is where the cursor rests."""
        columns, lines = os.get_terminal_size(sys.stdout.fileno())
        return max(columns - 1, 1), max(lines, 1)

    def show(self, lines: Sequence[str]) -> None:
        """Draw lines that fit in place of what is there: no letter that stays is cleared before."""
        draw(BEGIN + "\r\n".join(f"{line}{CLEAR_LINE}" for line in lines) + CLEAR_BELOW + END)

    def suspend(self) -> None:
        """Stop this program as ^Z does, with the screen given back; return when it goes on."""
        self.__exit__()
        before = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        # To this thread: the call does not return before the signal has come.
        signal.pthread_kill(threading.get_ident(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, before)
        self.__enter__()


def without_echo() -> list[Any] | None:
    """Have what is typed not be shown; return how it was, None where nothing can be typed."""
    if not sys.stdin.isatty():
        return None
    import termios

    before = termios.tcgetattr(sys.stdin)
    now = termios.tcgetattr(sys.stdin)
    now[3] &= ~termios.ECHO
    termios.tcsetattr(sys.stdin, termios.TCSADRAIN, now)
    return before


def with_echo(modes: list[Any] | None) -> None:
    if modes is not None:
        import termios

        # What was typed was meant for nobody: the shell shall not take it for a command.
        termios.tcsetattr(sys.stdin, termios.TCSAFLUSH, modes)
