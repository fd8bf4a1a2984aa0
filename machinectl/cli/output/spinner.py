"""Draw a running step on stderr: its title, its duration and the last line of its output."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from contextlib import contextmanager

from machinectl.cli.output.style import DIM, SPINNER, coloured, columns, harmless, is_drawn_on, shorten
from machinectl.quantities import duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# ECMA-48: go to the first column and clear the rest of the screen; go up a line.
CLEAR, UP = "\r\x1b[J", "\x1b[A"
SPINNER_SECONDS = 0.1
# Leave room at the end of the spinner's line: an echoed ^C must not wrap.
ECHO = len("^C")
# Before what a step prints.
INDENT = "  "


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
        passed = duration(time.monotonic() - self.begun, whole=True)
        line = shorten(as_encoded(f"{next(self.turns)} {passed}  {self.title}"), width, sys.stderr)
        if not self.detail:
            return line
        detail = shorten(as_encoded(f"{INDENT}{self.detail}"), width, sys.stderr)
        return f"\n{coloured(detail, DIM, sys.stderr)}\r{UP}{line}"


def as_encoded(text: str) -> str:
    """Encode text as stderr does: its escapes take more columns."""
    return text.encode(sys.stderr.encoding, sys.stderr.errors or "strict").decode(sys.stderr.encoding)
