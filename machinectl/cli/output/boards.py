"""Report work on several machines: the state of each, and lines on stderr."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from machinectl.cli.output.exit_status import hint_lines, warning
from machinectl.cli.output.style import (
    ATTENTION,
    DIM,
    FAILED,
    OK,
    coloured,
    harmless,
    mark,
    wrapped,
)
from machinectl.console import SharedBoard, StateNote
from machinectl.errors import NO_HINT, Hint
from machinectl.quantities import duration, first_names, plural
from machinectl.value_classes import Frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from contextlib import AbstractContextManager
    from typing import Self

    from machinectl.console import Board, Console


class RowState(StrEnum):
    """In the order of the total, in its words."""

    DONE = "done"
    FAILED = "failed"
    LATER = "waiting for their turn"
    UNFINISHED = "not finished"
    AT_WORK = "at work"
    WAITING = "waiting"
    NOT_BEGUN = "not begun"


SIGNS = {RowState.DONE: OK, RowState.FAILED: FAILED, RowState.UNFINISHED: ATTENTION}
# If not all fit, these are shown.
IMPORTANT = (RowState.AT_WORK, RowState.FAILED, RowState.UNFINISHED)


@dataclass
class Row:
    """A machine's row.

    `step` runs now, `detail` is its last line of output; `ended` is the last step that ended, `broken` the failed one.
    `outcome` is what a machine that is done is now, if the verb says so.
    `begun` and `since`, the step's start, are monotonic seconds, 0 before.
    """

    name: str
    state: RowState = RowState.WAITING
    step: str = ""
    detail: str = ""
    ended: str = ""
    broken: str = ""
    outcome: str = ""
    begun: float = 0.0
    since: float = 0.0
    took: float = 0.0

    def begin(self) -> None:
        self.state = RowState.AT_WORK
        self.begun = self.since = time.monotonic()

    def leave(self, *, failed: bool) -> None:
        if failed:
            self.broken = self.broken or self.step
        self.ended, self.step, self.since = self.step, "", time.monotonic()

    def end(self, error: BaseException | None) -> None:
        self.took = time.monotonic() - self.begun
        if error is None:
            self.state = RowState.DONE
        elif isinstance(error, KeyboardInterrupt):
            self.state = RowState.UNFINISHED
        else:
            # Imported late: many boards show no provisioning.
            from machinectl.provision.decision import InUse

            self.state = RowState.LATER if isinstance(error, InUse) else RowState.FAILED

    def abandon(self) -> None:
        """The board ends before the machine does."""
        if self.state is RowState.WAITING:
            self.state = RowState.NOT_BEGUN
        elif self.state is RowState.AT_WORK:
            self.took = time.monotonic() - self.begun
            self.state = RowState.UNFINISHED

    def time(self) -> str:
        if self.state is RowState.AT_WORK:
            return duration(time.monotonic() - self.since, whole=True)
        return duration(self.took) if self.begun else ""

    def text(self) -> str:
        """Return what the machine is doing, or how it ended."""
        at_work = f"{self.step}: {self.detail}" if self.detail and self.step else self.step
        ended = f"stopped after this step: {self.ended}" if self.ended else "stopped before its first step"
        texts = {
            RowState.DONE: self.outcome,
            RowState.FAILED: self.broken or self.state,
            RowState.UNFINISHED: f"abandoned in this step: {self.step}" if self.step else ended,
            RowState.AT_WORK: at_work,
            RowState.LATER: "waiting for its turn",
        }
        return texts.get(self.state, self.state)


def total(rows: Collection[Row], seconds: float) -> str:
    count = Counter(row.state for row in rows)
    counted = ", ".join(f"{count[state]} {state}" for state in RowState if count[state])
    return f"{plural(len(rows), 'machine')}: {counted} ({duration(seconds)})"


class PlainBoard:
    """A console.Board. `person` asks the user."""

    def __init__(self, person: Console, program: str, names: Sequence[str]) -> None:
        self.person = person
        self.program = program
        self.rows = {name: Row(name) for name in names}
        self.begun = time.monotonic()
        # Hold `floor` to ask a question; take `lock` after it, to write or draw.
        self.floor = threading.RLock()
        self.lock = threading.RLock()
        self.asides = 0
        self.held: list[str] = []
        self.closed = False
        # The outcome of a finished machine that has reported none.
        self.outcome = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self.lock:
            for row in self.rows.values():
                row.abandon()
            if kind is KeyboardInterrupt:
                rows = self.rows.values()
                self.held += [f"{row.name}: {row.text()}" for row in rows if row.state is RowState.UNFINISHED]
                if names := [row.name for row in rows if row.state is RowState.NOT_BEGUN]:
                    self.held.append(f"Not begun: {first_names(names)}")
            self.flush()
            self.closed = True

    def console(self, name: str) -> Console:
        with self.lock:
            self.rows[name].begin()
            self.draw()
        return OneOf(self, name)

    def done(self, name: str, error: BaseException | None) -> None:
        with self.lock:
            row = self.rows[name]
            row.end(error)
            row.outcome = row.outcome or self.outcome
            self.draw()

    @contextmanager
    def aside(self) -> Iterator[None]:
        with self.floor:
            with self.lock:
                self.asides += 1
                self.hide()
            try:
                yield
            finally:
                with self.lock:
                    self.asides -= 1
                    if not self.asides:
                        self.flush()
                        self.show()

    @contextmanager
    def step(self, name: str, title: str) -> Iterator[None]:
        row = self.rows[name]
        with self.lock:
            row.step, row.detail, row.since = title, "", time.monotonic()
            self.draw()
        failed = True
        try:
            with self.shown_step(name, title):
                yield
            failed = False
        finally:
            with self.lock:
                row.leave(failed=failed)
                self.draw()

    def progress(self, name: str) -> Callable[[str], None] | None:  # noqa: ARG002 (LiveBoard shows it)
        return None

    def shown_step(self, name: str, title: str) -> AbstractContextManager[None]:
        return timed(lambda end: self.say(name, end.line(title)))

    def say(self, name: str, text: str, *, is_state: bool = False) -> None:  # noqa: ARG002 (LiveBoard's rows show it)
        """Print as soon as the screen is free. `is_state`: it says what the machine is."""
        with self.lock:
            self.held += [f"{name}: {line}" for line in text.split("\n")]
            if not self.asides:
                self.flush()

    def flush(self) -> None:
        lines, self.held = self.held, []
        if lines and not self.closed:
            self.write("\n".join(lines))

    def write(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def hide(self) -> None:
        """Remove the drawing, if any."""

    def show(self) -> None:
        """Draw again, if anything."""

    def draw(self) -> None:
        """Update the drawing, if any."""


class OneOf:
    def __init__(self, board: PlainBoard, name: str) -> None:
        self._board = board
        self._name = name

    @property
    def progress(self) -> Callable[[str], None] | None:
        return self._board.progress(self._name)

    @property
    def interactive(self) -> bool:
        return self._board.person.interactive

    def note(self, text: str, hint: Hint = NO_HINT) -> None:
        # The line begins with the name.
        own = harmless(text.removeprefix(f'"{self._name}" '))
        own = "\n".join([own, *hint_lines(hint, self._board.program)])
        self._board.say(self._name, own, is_state=isinstance(text, StateNote))

    def warn(self, text: str, hint: Hint = NO_HINT) -> None:
        said = warning(harmless(text))
        self._board.say(self._name, "\n".join([said, *hint_lines(hint, self._board.program)]))

    def step(self, title: str) -> AbstractContextManager[None]:
        return self._board.step(self._name, harmless(title))

    def ask(self, prompt: str, *, secret: bool = False) -> str:
        with self._board.aside():
            return self._board.person.ask(f"{self._name}: {prompt}", secret=secret)

    def pause(self, seconds: float) -> None:
        self._board.person.pause(seconds)

    def board(self, names: Sequence[str]) -> AbstractContextManager[Board]:  # noqa: ARG002 (the protocol requires it)
        return nullcontext(SharedBoard(self))


# Stands for a blank that is no end of a line. Columns of a step's sign and the blank after it.
NO_BREAK, INDENT = "\0", 2


class StepEnd(Frozen):
    """`outcome` is "" if the step succeeded."""

    sign: str
    outcome: str
    seconds: float

    def line(self, title: str) -> str:
        return f"{title} ({self.outcome}{self.seconds:.1f} s)"

    def drawn(self, title: str, stream: object) -> str:
        """Return the line for a terminal; a long one is broken at words, and the time stays whole."""
        took = f"({self.outcome}{duration(self.seconds)})"
        words = wrapped(f"{title} {took.replace(' ', NO_BREAK)}", stream, indent=INDENT)
        text = words.replace("\n", "\n" + " " * INDENT).removesuffix(took.replace(" ", NO_BREAK))
        return f"{mark(self.sign, stream)} {text}{coloured(took, DIM, stream)}"


@contextmanager
def timed(tell: Callable[[StepEnd], None], shown: AbstractContextManager[None] | None = None) -> Iterator[None]:
    """Tell how a step ended; `shown` shows it until then."""
    started = time.monotonic()
    sign, outcome = FAILED, "failed after "
    try:
        with shown or nullcontext():
            yield
        sign, outcome = OK, ""
    except (KeyboardInterrupt, SystemExit):
        sign, outcome = ATTENTION, "interrupted after "
        raise
    finally:
        tell(StepEnd(sign, outcome, time.monotonic() - started))
