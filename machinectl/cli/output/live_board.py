"""Draw a live table of work on several machines. Loads rich: import it only to draw."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import rich.console
import rich.live
from rich.text import Text

from machinectl.cli.output.plain_board import PlainBoard
from machinectl.provision.decision import InUse

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from typing import Self

    from machinectl.console import Console

# Redraw this often so that the elapsed seconds count up.
REFRESH_SECONDS = 0.25
# Leave room at the end of the last line: an echoed ^C must not wrap.
ECHO = len("^C")


class RowState(StrEnum):
    WAITING = "waiting"
    AT_WORK = "at work"
    DONE = "done"
    FAILED = "failed"
    UNFINISHED = "not finished"


STYLES = {RowState.DONE: "green", RowState.FAILED: "red", RowState.UNFINISHED: "yellow"}


@dataclass
class Row:
    """A machine's row. `begun` and `since`, the step's start, are monotonic seconds, 0 before."""

    name: str
    state: RowState = RowState.WAITING
    step: str = ""
    begun: float = 0.0
    since: float = 0.0
    took: float = 0.0

    def enter(self, step: str) -> None:
        self.step = step
        self.since = time.monotonic()

    def begin(self) -> None:
        self.state = RowState.AT_WORK
        self.begun = time.monotonic()
        self.enter("")

    def end(self, state: RowState) -> None:
        if self.begun:
            self.took = time.monotonic() - self.begun
        self.state = state

    def line(self, column: int) -> Text:
        name = Text(printable(self.name))
        name.truncate(column, overflow="ellipsis", pad=True)
        return Text.assemble(name, f"{self.seconds():>6}  ", (self.shown(), STYLES.get(self.state, "")))

    def seconds(self) -> str:
        if not self.begun:
            return ""
        return f"{time.monotonic() - self.since if self.state is RowState.AT_WORK else self.took:.0f} s"

    def shown(self) -> str:
        return printable(self.step) if self.state is RowState.AT_WORK else self.state


def board_lines(rows: Collection[Row], width: int, height: int) -> list[Text]:
    """Return all rows if they fit, else those at work and a count of the others."""
    shown = list(rows)
    if len(shown) > height:
        shown = [row for row in shown if row.state is RowState.AT_WORK][: height - 1]
    column = min(max(len(row.name) for row in rows), width // 3)
    lines = [row.line(column) for row in shown]
    if len(shown) < len(rows):
        counted = Counter(row.state for row in rows) - Counter(row.state for row in shown)
        lines.append(Text(", ".join(f"{counted[state]} {state}" for state in RowState if counted[state])))
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return lines


class LiveBoard(PlainBoard):
    """A console.Board at the bottom of the terminal; messages scroll above it."""

    def __init__(self, person: Console, program: str, names: Sequence[str]) -> None:
        super().__init__(person, program)
        self.rows = {name: Row(name) for name in names}
        self.screen = rich.console.Console(stderr=True, highlight=False)
        self.live: rich.live.Live | None = None
        self.over = threading.Event()

    def __enter__(self) -> Self:
        with self.lock:
            self.show()
        threading.Thread(target=self.keep_drawing, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        with self.lock:
            super().__exit__()
            for row in self.rows.values():
                if row.state in {RowState.WAITING, RowState.AT_WORK}:
                    row.end(RowState.UNFINISHED)
            if self.live:
                self.live.stop()
                self.live = None

    def console(self, name: str) -> Console:
        with self.lock:
            self.rows[name].begin()
            self.draw()
        return super().console(name)

    def done(self, name: str, error: BaseException | None) -> None:
        with self.lock:
            self.rows[name].end(final_state(error))
            self.draw()

    @contextmanager
    def step(self, name: str, title: str) -> Iterator[None]:
        self.enter(name, title)
        try:
            yield
        finally:
            self.enter(name, "")

    def enter(self, name: str, title: str) -> None:
        with self.lock:
            self.rows[name].enter(title)
            self.draw()

    def write(self, text: str) -> None:
        self.screen.print(Text.from_ansi(text), soft_wrap=True)

    def hide(self) -> None:
        if self.live:
            self.live.transient = True
            self.live.stop()
            self.live = None

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
        width, height = self.screen.size
        lines = board_lines(self.rows.values(), max(width - ECHO, 1), max(height - 1, 1))
        return Text("\n", no_wrap=True, overflow="crop").join(lines)

    def keep_drawing(self) -> None:
        while not self.over.wait(REFRESH_SECONDS):
            with self.lock:
                self.draw()


def final_state(error: BaseException | None) -> RowState:
    if error is None:
        return RowState.DONE
    return RowState.UNFINISHED if isinstance(error, KeyboardInterrupt | InUse) else RowState.FAILED


def printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)
