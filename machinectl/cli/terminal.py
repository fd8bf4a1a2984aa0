"""The Console of the command line: stderr, a spinner where it is a terminal, questions on stdin."""

from __future__ import annotations

import getpass
import os
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from machinectl.cli.exits import as_called
from machinectl.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        print(as_called(text, self.program), file=sys.stderr, flush=True)

    def warn(self, text: str) -> None:
        print(coloured("Warning:", "33", sys.stderr), as_called(text, self.program), file=sys.stderr, flush=True)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """One line for a piece of work, with its time in the end; a spinner while it runs on a terminal."""
        started = time.monotonic()
        done = threading.Event()
        spinner = threading.Thread(target=spin, args=(title, done), daemon=True)
        if sys.stderr.isatty():
            spinner.start()
        outcome = "failed"
        try:
            yield
            outcome = ""
        finally:
            done.set()
            if spinner.ident:
                spinner.join()
                sys.stderr.write(CLEAR_LINE)
            self.note(f"{title} ({outcome}{' after ' if outcome else ''}{time.monotonic() - started:.1f} s)")

    def ask(self, question: str, *, secret: bool = False) -> str:
        try:
            if secret:
                return getpass.getpass(question, sys.stderr)
            return self.line(question)
        except EOFError as exc:
            raise MachineError(
                "No answer was given", "Answer the question, or give the option that answers it"
            ) from exc

    def confirm(self, question: str) -> bool:
        """Yes or no, also from a pipe, as docker-machine takes it; the end of the input is no."""
        try:
            return self.line(question).strip().lower() in {"y", "yes"}
        except EOFError:
            return False

    def line(self, question: str) -> str:
        print(question, end="", file=sys.stderr, flush=True)
        answer = sys.stdin.buffer.readline()
        if not answer:
            print(file=sys.stderr)
            raise EOFError
        return answer.decode(errors="replace").rstrip("\r\n")


def spin(title: str, done: threading.Event) -> None:
    turn = 0
    while True:
        sys.stderr.write(f"{CLEAR_LINE}{SPINNER[turn % len(SPINNER)]} {title}")
        sys.stderr.flush()
        turn += 1
        if done.wait(SPINNER_SECONDS):
            return


def coloured(text: str, colour: str, stream: object) -> str:
    """The text in an ECMA-48 colour where the stream is a terminal and NO_COLOR (no-color.org) is not set."""
    is_terminal = getattr(stream, "isatty", lambda: False)()
    if not text or not is_terminal or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{colour}m{text}\x1b[0m"
