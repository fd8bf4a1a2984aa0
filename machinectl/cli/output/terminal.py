"""The command line's Console: messages on stderr, questions on stdin. Light: warnings of `env` load it."""

from __future__ import annotations

import sys
import time

from machinectl.cli.output.exit_status import debugging, fitted_warning, hint_lines
from machinectl.cli.output.style import harmless, is_drawn_on, wrapped
from machinectl.errors import NO_HINT, Hint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from machinectl.cli.output.boards import StepEnd
    from machinectl.cli.output.spinner import Spinner
    from machinectl.console import Board

# The longest delay of ^C. Seconds.
LONGEST_SLEEP = 0.5


class Terminal:
    """A console.Console. `program` is how this program was called."""

    def __init__(self, program: str) -> None:
        self.program = program
        self._spinner: Spinner | None = None
        # Whether the verb prints a result for each machine: a board leaves no rows then.
        self.prints_results = False
        # Whether the verb counts the results itself: a board leaves no total then.
        self.prints_total = False
        # The outcome of a finished machine on a board.
        self.done = ""
        # Whether a live board has shown how each machine ended.
        self.has_drawn = False

    @property
    def spinner(self) -> Spinner:
        if self._spinner is None:
            from machinectl.cli.output.spinner import Spinner

            self._spinner = Spinner()
        return self._spinner

    @property
    def interactive(self) -> bool:
        return sys.stdin.isatty() and sys.stderr.isatty()

    def note(self, text: str, hint: Hint = NO_HINT) -> None:
        self.write("\n".join([wrapped(harmless(text), sys.stderr), *hint_lines(hint, self.program)]))

    def warn(self, text: str, hint: Hint = NO_HINT) -> None:
        self.write(fitted_warning(text, self.program, hint))

    def write(self, text: str) -> None:
        if self._spinner is None:
            print(text, file=sys.stderr, flush=True)
            return
        with self._spinner.lock:
            self._spinner.clear()
            print(text, file=sys.stderr, flush=True)

    def step(self, title: str) -> AbstractContextManager[None]:
        """Print a line with the step's duration when it ends; show a spinner until then."""
        from machinectl.cli.output.boards import timed

        title = harmless(title)

        def tell(end: StepEnd) -> None:
            self.write(end.drawn(title, sys.stderr) if is_drawn_on(sys.stderr) else end.line(title))

        return timed(tell, self.spinner.spinning(title))

    @property
    def progress(self) -> Callable[[str], None] | None:
        # --debug prints the output itself.
        return self.spinner.show_detail if is_drawn_on(sys.stderr) and not debugging() else None

    def ask(self, prompt: str, *, secret: bool = False) -> str:
        """Return the answer; end the prompt's line at ^C or end of input."""
        from machinectl.console import Unanswered

        question = harmless(prompt)
        # The space after it stays.
        question = wrapped(question.rstrip(" "), sys.stderr) + " " * question.endswith(" ")
        with self.spinner.lock:
            self.spinner.clear()
            try:
                if secret:
                    import getpass

                    return getpass.getpass(question, sys.stderr)
                print(question, end="", file=sys.stderr, flush=True)
                if answer := sys.stdin.buffer.readline():
                    return answer.decode(errors="replace").rstrip("\r\n")
            except KeyboardInterrupt:
                print(file=sys.stderr, flush=True)
                raise
            # The terminal was closed, and SIGHUP is ignored.
            except (EOFError, OSError):
                pass
            print(file=sys.stderr, flush=True)
            raise Unanswered

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
        from machinectl.cli.output.boards import PlainBoard

        return PlainBoard(self, self.program, names)
