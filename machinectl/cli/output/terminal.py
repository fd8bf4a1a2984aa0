"""The Console of the command line: stderr, a spinner where it is a terminal, questions on stdin."""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from machinectl.cli.output.colours import is_drawn_on
from machinectl.cli.output.exit_status import debugging
from machinectl.cli.output.line_format import cut, shown, timed, warning
from machinectl.cli.output.sanitise import harmless
from machinectl.console import Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from machinectl.console import Board

# ECMA-48 control sequences: back to the first column and clear the line.
CLEAR_LINE = "\r\x1b[K"
SPINNER = "|/-\\"
SPINNER_SECONDS = 0.1
# A terminal echoes ^C where the cursor is, at the end of the spinner's line: it must not begin another one there.
ECHO = len("^C")
# How long ^C may go unnoticed. Seconds.
LONGEST_SLEEP = 0.5


class Terminal:
    """See machinectl.console.Console. `program` is how this program was called: commands in texts are given so."""

    def __init__(self, program: str) -> None:
        self.program = program
        self.spinner = Spinner()

    @property
    def interactive(self) -> bool:
        return sys.stdin.isatty() and sys.stderr.isatty()

    def note(self, text: str) -> None:
        self.write(shown(text, self.program))

    def warn(self, text: str) -> None:
        self.write(warning(shown(text, self.program)))

    def write(self, text: str) -> None:
        with self.spinner.aside():
            print(text, file=sys.stderr, flush=True)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """One line for a piece of work, with its time in the end; a spinner while it runs on a terminal."""
        with timed(title, self.note), self.spinner.spinning(shown(title, self.program)):
            yield

    def ask(self, question: str, *, secret: bool = False) -> str:
        prompt = f"{harmless(question)}: "
        return self.answer(lambda: unseen(prompt) if secret else line(prompt))

    def confirm(self, question: str) -> bool:
        """Yes or no, also from a pipe; as with docker-machine yes is whatever begins with y."""
        return self.answer(lambda: line(f"{harmless(question)} (y/n): ")).strip().lower().startswith("y")

    def answer(self, ask: Callable[[], str]) -> str:
        """What is typed. A question that gets no answer, at ^C or the end of the input, has its line ended."""
        with self.spinner.aside():
            try:
                return ask()
            except (EOFError, KeyboardInterrupt) as exc:
                print(file=sys.stderr, flush=True)
                if isinstance(exc, EOFError):
                    raise Unanswered from exc
                raise

    def pause(self, seconds: float) -> None:
        # In short sleeps: a ^C in the moment before one begins does not end it.
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, LONGEST_SLEEP))

    def board(self, names: Sequence[str]) -> AbstractContextManager[Board]:
        """A live one where stderr is a terminal that can be drawn on, else lines that say whose they are."""
        # With --debug much is printed by whoever does it, past any board: it would tear a table.
        if is_drawn_on(sys.stderr) and not debugging():
            from machinectl.cli.output.live_board import LiveBoard

            return LiveBoard(self, self.program, names)
        from machinectl.cli.output.plain_board import PlainBoard

        return PlainBoard(self, self.program)


def unseen(prompt: str) -> str:
    """A line that is typed without being shown."""
    import getpass

    return getpass.getpass(prompt, sys.stderr)


def line(question: str) -> str:
    """A line of stdin. Raises EOFError where it has ended."""
    print(question, end="", file=sys.stderr, flush=True)
    answer = sys.stdin.buffer.readline()
    if not answer:
        raise EOFError
    return answer.decode(errors="replace").rstrip("\r\n")


class Spinner:
    """The last line of a terminal that can be drawn on: what is at work, and for how long; empty again in the end."""

    def __init__(self) -> None:
        # Held by whoever writes: the spinner's threads wait for it.
        self.lock = threading.RLock()
        # The steps under way: that which began last is shown.
        self.steps: list[Step] = []

    @contextmanager
    def spinning(self, title: str) -> Iterator[None]:
        if not is_drawn_on(sys.stderr):
            yield
            return
        step = Step(title)
        self.steps.append(step)
        thread = threading.Thread(target=self.spin, args=(step,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            step.over.set()
            thread.join()
            with self.aside():
                self.steps.remove(step)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """The screen is the caller's, to print or to ask something."""
        with self.lock:
            if self.steps:
                sys.stderr.write(CLEAR_LINE)
                sys.stderr.flush()
            yield

    def spin(self, step: Step) -> None:
        while True:
            with self.lock:
                if step is self.steps[-1]:
                    sys.stderr.write(CLEAR_LINE + cut(as_encoded(step.shown()), columns() - ECHO))
                    sys.stderr.flush()
            if step.over.wait(SPINNER_SECONDS):
                return


class Step:
    """A piece of work under way, as the spinner shows it."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.begun = time.monotonic()
        self.turns = itertools.cycle(SPINNER)
        self.over = threading.Event()

    def shown(self) -> str:
        return f"{next(self.turns)} {int(time.monotonic() - self.begun)} s  {self.title}"


def as_encoded(text: str) -> str:
    """The text with the escapes that stderr writes for what its encoding lacks: they take more columns."""
    return text.encode(sys.stderr.encoding, sys.stderr.errors or "strict").decode(sys.stderr.encoding)


def columns() -> int:
    """How wide the terminal is now; one that does not tell is as wide as most."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except OSError:
        return 80
