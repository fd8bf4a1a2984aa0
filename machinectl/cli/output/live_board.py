"""Draw a live table of work on several machines. Loads rich: import it only to draw."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING

import rich.console
import rich.live
from rich.text import Text

from machinectl.cli.output.boards import IMPORTANT, SIGNS, PlainBoard, RowState, total
from machinectl.cli.output.style import DIM, SPINNER, coloured, mark, shorten, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from contextlib import AbstractContextManager
    from typing import Self

    from machinectl.cli.output.boards import Row
    from machinectl.console import Console

# Redraw this often so that the elapsed seconds count up.
REFRESH_SECONDS = 0.25
# Leave room at the end of the last line: an echoed ^C must not wrap.
ECHO = len("^C")
# Columns of a time that is not long.
TIME = len("59 s")


def board_lines(rows: Collection[Row], last: str, seconds: float, width: int, height: int) -> list[str]:
    """Return a line for each row and the last one; if they do not fit, for rows that matter, and the total."""
    shown = list(rows)
    if len(shown) + bool(last) > height:
        important = sorted((row for row in rows if row.state in IMPORTANT), key=lambda row: IMPORTANT.index(row.state))
        shown, last = important[: max(height - 1, 0)], last or total(rows, seconds)
    names = min(max(len(row.name) for row in rows), width // 3)
    times = max([TIME, *(len(row.time()) for row in shown)])
    lines = []
    for row in shown:
        before = f" {shorten(printable(row.name), names, sys.stderr):{names}} "
        shown_time = f"{row.time():>{times}}"
        text = shorten(printable(row.text()), width - 1 - len(before) - len(shown_time) - 2, sys.stderr)
        sign = mark(SIGNS.get(row.state, " "), sys.stderr)
        if row.state is RowState.AT_WORK:
            sign = SPINNER[int(time.monotonic() / REFRESH_SECONDS) % len(SPINNER)]
        lines.append(f"{sign}{before}{coloured(shown_time, DIM, sys.stderr)}  {text}".rstrip())
    return [*lines, *([shorten(last, width, sys.stderr)] if last else [])]


class LiveBoard(PlainBoard):
    """A console.Board at the bottom of the terminal; messages scroll above it."""

    def __init__(self, person: Console, program: str, names: Sequence[str]) -> None:
        super().__init__(person, program, names)
        self.screen = rich.console.Console(stderr=True, highlight=False)
        self.live: rich.live.Live | None = None
        self.over = threading.Event()
        # Whether rows and total stay on the screen at the end.
        self.leaves_rows = self.leaves_total = True

    def __enter__(self) -> Self:
        with self.lock:
            self.show()

        def keep_drawing() -> None:
            while not self.over.wait(REFRESH_SECONDS):
                with self.lock:
                    self.draw()

        threading.Thread(target=keep_drawing, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.over.set()
        with self.lock:
            # ^C came between two drawings.
            if not self.live:
                self.show()
            # The rows say what is unfinished.
            super().__exit__(None)
            if kind is None and not self.leaves_rows:
                self.hide()
            self.stop()

    def stop(self) -> None:
        if self.live:
            self.live.stop()
            self.live = None

    def progress(self, name: str) -> Callable[[str], None] | None:
        row = self.rows[name]

        def show(text: str) -> None:
            # The next drawing shows it.
            row.detail = text

        return show

    def shown_step(self, name: str, title: str) -> AbstractContextManager[None]:  # noqa: ARG002 (the row shows it)
        return nullcontext()

    def say(self, name: str, text: str, *, is_state: bool = False) -> None:
        columns, lines = self.screen.size
        room = columns - ECHO - TIME - min(max(map(len, self.rows)), columns // 3) - len("✓   ") - 2
        if is_state and self.leaves_rows and len(self.rows) + 1 < lines and len(text) <= room:
            self.rows[name].outcome = text
        else:
            super().say(name, text)

    def write(self, text: str) -> None:
        self.screen.print(Text.from_ansi(wrapped(text, sys.stderr)), soft_wrap=True)

    def hide(self) -> None:
        if self.live:
            self.live.transient = True
            self.stop()

    def show(self) -> None:
        if self.closed:
            return
        # Start a new Live each time: a restarted one would draw over messages printed meanwhile.
        self.live = rich.live.Live(
            console=self.screen,
            get_renderable=self.drawn,
            # rich's refresh thread measures and draws at different times, and loses lines in between.
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self.live.start(refresh=True)

    def draw(self) -> None:
        if self.live:
            self.live.refresh()

    def drawn(self) -> Text:
        columns, lines = self.screen.size
        rows = self.rows.values()
        seconds = time.monotonic() - self.begun
        last = total(rows, seconds) if self.closed and self.leaves_total else ""
        drawn = board_lines(rows, last, seconds, max(columns - ECHO, 1), max(lines - 1, 1))
        return Text("\n", no_wrap=True, overflow="crop").join(map(Text.from_ansi, drawn))


def printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)
