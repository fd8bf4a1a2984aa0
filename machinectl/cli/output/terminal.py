"""The command line's Console: messages on stderr, spinner, questions on stdin."""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
from contextlib import contextmanager

from machinectl.cli.output.exit_status import debugging, fitted_warning, hint_lines
from machinectl.cli.output.sanitise import harmless
from machinectl.cli.output.style import DIM, SPINNER, coloured, columns, is_drawn_on, shorten, wrapped
from machinectl.console import Unanswered
from machinectl.errors import NO_HINT, Hint
from machinectl.quantities import duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from machinectl.cli.output.plain_board import StepEnd
    from machinectl.console import Board

# ECMA-48: go to the first column and clear the rest of the screen; go up a line.
CLEAR, UP = "\r\x1b[J", "\x1b[A"
SPINNER_SECONDS = 0.1
# Leave room at the end of the spinner's line: an echoed ^C must not wrap.
ECHO = len("^C")
# Before what a step prints.
INDENT = "  "
# The longest delay of ^C. Seconds.
LONGEST_SLEEP = 0.5


class Terminal:
    """A console.Console. `program` is how this program was called."""

    def __init__(self, program: str) -> None:
        self.program = program
        self.spinner = Spinner()
        # Whether the verb prints a result for each machine: a board leaves no rows then.
        self.prints_results = False
        # Whether the verb counts the results itself: a board leaves no total then.
        self.prints_total = False
        # The outcome of a finished machine on a board.
        self.done = ""
        # Whether a live board has shown how each machine ended.
        self.has_drawn = False

    @property
    def interactive(self) -> bool:
        return sys.stdin.isatty() and sys.stderr.isatty()

    def note(self, text: str, hint: Hint = NO_HINT) -> None:
        self.write("\n".join([wrapped(harmless(text), sys.stderr), *hint_lines(hint, self.program)]))

    def warn(self, text: str, hint: Hint = NO_HINT) -> None:
        self.write(fitted_warning(text, self.program, hint))

    def write(self, text: str) -> None:
        with self.spinner.lock:
            self.spinner.clear()
            print(text, file=sys.stderr, flush=True)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Print a line with the step's duration when it ends; show a spinner until then."""
        title = harmless(title)

        def tell(end: StepEnd) -> None:
            self.write(end.drawn(title, sys.stderr) if is_drawn_on(sys.stderr) else end.line(title))

        from machinectl.cli.output.plain_board import timed

        with timed(tell), self.spinner.spinning(title):
            yield

    @property
    def progress(self) -> Callable[[str], None] | None:
        # --debug prints the output itself.
        return self.spinner.show_detail if is_drawn_on(sys.stderr) and not debugging() else None

    def ask(self, prompt: str, *, secret: bool = False) -> str:
        """Return the answer; end the prompt's line at ^C or end of input."""
        question = harmless(prompt)
        # The space after it stays.
        question = wrapped(question.rstrip(" "), sys.stderr) + " " * question.endswith(" ")
        with self.spinner.lock:
            self.spinner.clear()
            try:
                return read_hidden(question) if secret else read_line(question)
            # OSError: the terminal was closed, and SIGHUP is ignored.
            except (EOFError, OSError, KeyboardInterrupt) as exc:
                print(file=sys.stderr, flush=True)
                if isinstance(exc, KeyboardInterrupt):
                    raise
                raise Unanswered from exc

    def pause(self, seconds: float) -> None:
        # Short sleeps, because a ^C just before a sleep does not interrupt it.
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, LONGEST_SLEEP))

    def board(self, names: Sequence[str]) -> AbstractContextManager[Board]:
        # --debug prints past any board, which would break a live table.
        if is_drawn_on(sys.stderr) and not debugging():
            from machinectl.cli.output.live_board import LiveBoard

            board = LiveBoard(self, self.program, names)
            board.leaves_rows, board.leaves_total = not self.prints_results, not self.prints_total
            board.outcome, self.has_drawn = self.done, board.leaves_rows
            return board
        from machinectl.cli.output.plain_board import PlainBoard

        return PlainBoard(self, self.program, names)


def read_hidden(prompt: str) -> str:
    import getpass

    with restoring_echo():
        return getpass.getpass(prompt, sys.stderr)


@contextmanager
def restoring_echo() -> Iterator[None]:
    """Restore the terminal before SIGQUIT ends this program: getpass does that only for exceptions."""
    import signal
    import termios

    is_ours = threading.current_thread() is threading.main_thread() and sys.stdin.isatty()
    if not is_ours or signal.getsignal(signal.SIGQUIT) is not signal.SIG_DFL:
        yield
        return
    before = termios.tcgetattr(sys.stdin)

    def quit_now(number: int, _: object) -> None:
        termios.tcsetattr(sys.stdin, termios.TCSAFLUSH, before)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    signal.signal(signal.SIGQUIT, quit_now)
    try:
        yield
    finally:
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)


def read_line(prompt: str) -> str:
    """Read a line of stdin. Raises EOFError at its end."""
    print(prompt, end="", file=sys.stderr, flush=True)
    answer = sys.stdin.buffer.readline()
    if not answer:
        raise EOFError
    return answer.decode(errors="replace").rstrip("\r\n")


class Spinner:
    def __init__(self) -> None:
        # Held while writing; the spinner's threads wait for it. Always `with spinner.lock`: a context manager of our
        # own would leave it held if a signal raised SystemExit when its __exit__ begins.
        self.lock = threading.RLock()
        # Running steps, the newest of which is shown.
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
            with self.lock:
                self.clear()
                self.steps.remove(step)

    def show_detail(self, text: str) -> None:
        """Show a line below the newest step."""
        with self.lock:
            if self.steps:
                self.steps[-1].detail = " ".join(harmless(text).split())

    def clear(self) -> None:
        """Clear the spinner before the caller, who holds the lock, prints or asks."""
        if self.steps:
            sys.stderr.write(CLEAR)
            sys.stderr.flush()

    def spin(self, step: Step) -> None:
        while True:
            with self.lock:
                if step is self.steps[-1]:
                    sys.stderr.write(CLEAR + step.drawn(columns(sys.stderr) - ECHO))
                    sys.stderr.flush()
            if step.over.wait(SPINNER_SECONDS):
                return


class Step:
    def __init__(self, title: str) -> None:
        self.title = title
        self.begun = time.monotonic()
        self.turns = itertools.cycle(SPINNER)
        self.over = threading.Event()
        # The last line of what the step prints.
        self.detail = ""

    def drawn(self, width: int) -> str:
        """Return the title, with the detail below it; the cursor stays at the title's end."""
        line = shorten(as_encoded(self.line()), width, sys.stderr)
        if not self.detail:
            return line
        detail = shorten(as_encoded(f"{INDENT}{self.detail}"), width, sys.stderr)
        return f"\n{coloured(detail, DIM, sys.stderr)}\r{UP}{line}"

    def line(self) -> str:
        return f"{next(self.turns)} {duration(time.monotonic() - self.begun, whole=True)}  {self.title}"


def as_encoded(text: str) -> str:
    """Encode text as stderr does: its escapes take more columns."""
    return text.encode(sys.stderr.encoding, sys.stderr.errors or "strict").decode(sys.stderr.encoding)
