"""The Console of the command line: stderr, a spinner where it is a terminal, questions on stdin."""

from __future__ import annotations

import getpass
import os
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from machinectl.cli.exits import debugging
from machinectl.cli.harmless import harmless
from machinectl.cli.lines import shown, timed, warning
from machinectl.console import NoAnswer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from machinectl.console import Board

# ECMA-48 control sequences: back to the first column and clear the line.
CLEAR_LINE = "\r\x1b[K"
SPINNER = "|/-\\"
SPINNER_SECONDS = 0.1


class Terminal:
    """See machinectl.console.Console. `program` is how this program was called: commands in texts are given so."""

    def __init__(self, program: str) -> None:
        self.program = program

    @property
    def interactive(self) -> bool:
        return sys.stdin.isatty() and sys.stderr.isatty()

    def note(self, text: str) -> None:
        print(shown(text, self.program), file=sys.stderr, flush=True)

    def warn(self, text: str) -> None:
        print(warning(shown(text, self.program)), file=sys.stderr, flush=True)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """One line for a piece of work, with its time in the end; a spinner while it runs on a terminal."""
        with timed(title, self.note), spinning(harmless(title)):
            yield

    def ask(self, question: str, *, secret: bool = False) -> str:
        try:
            if secret:
                return getpass.getpass(harmless(question), sys.stderr)
            return self.line(question)
        except EOFError as exc:
            raise NoAnswer from exc

    def confirm(self, question: str) -> bool:
        """Yes or no, also from a pipe; as with docker-machine yes is whatever begins with y."""
        try:
            return self.line(question).strip().lower().startswith("y")
        except EOFError as exc:
            raise NoAnswer from exc

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)

    def board(self, names: Sequence[str]) -> AbstractContextManager[Board]:
        """A live one where stderr is a terminal that can be drawn on, else lines that say whose they are."""
        # With --debug much is printed by whoever does it, past any board: it would tear a table.
        if sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not debugging():
            from machinectl.cli.live import LiveBoard

            return LiveBoard(self, self.program, names)
        from machinectl.cli.board import PlainBoard

        return PlainBoard(self, self.program)

    def line(self, question: str) -> str:
        print(harmless(question), end="", file=sys.stderr, flush=True)
        answer = sys.stdin.buffer.readline()
        if not answer:
            print(file=sys.stderr)
            raise EOFError
        return answer.decode(errors="replace").rstrip("\r\n")


@contextmanager
def spinning(title: str) -> Iterator[None]:
    """Show on a terminal that something is at work; the line is empty again in the end."""
    if not sys.stderr.isatty():
        yield
        return
    done = threading.Event()
    spinner = threading.Thread(target=spin, args=(title, done), daemon=True)
    spinner.start()
    try:
        yield
    finally:
        done.set()
        spinner.join()
        sys.stderr.write(CLEAR_LINE)


def spin(title: str, done: threading.Event) -> None:
    turn = 0
    while True:
        sys.stderr.write(f"{CLEAR_LINE}{SPINNER[turn % len(SPINNER)]} {title}")
        sys.stderr.flush()
        turn += 1
        if done.wait(SPINNER_SECONDS):
            return
