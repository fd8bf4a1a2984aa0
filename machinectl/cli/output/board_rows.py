"""The state of each machine on a board, and the text of its line."""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from machinectl.cli.output.style import ATTENTION, FAILED, MORE, OK, printed_sign
from machinectl.quantities import duration, first_names, plural

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence


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

    def enter(self, step: str) -> None:
        self.step, self.detail, self.since = step, "", time.monotonic()

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
        if not self.begun:
            return ""
        if self.state is RowState.AT_WORK:
            return duration(time.monotonic() - self.since, whole=True)
        return duration(self.took)

    def text(self) -> str:
        """Return what the machine is doing, or how it ended."""
        if self.state is RowState.UNFINISHED:
            return self.interruption()
        if self.state is RowState.FAILED:
            return self.broken or self.state
        at_work = f"{self.step}: {self.detail}" if self.detail and self.step else self.step
        return {RowState.DONE: self.outcome, RowState.AT_WORK: at_work, RowState.LATER: "waiting for its turn"}.get(
            self.state, self.state
        )

    def interruption(self) -> str:
        if self.step:
            return f"abandoned in this step: {self.step}"
        return f"stopped after this step: {self.ended}" if self.ended else "stopped before its first step"


def important_rows(rows: Iterable[Row], most: int) -> list[Row]:
    """Return those at work and those that failed, in the order of the board."""
    important = [row for row in rows if row.state in IMPORTANT]
    ranked = sorted(important, key=lambda row: IMPORTANT.index(row.state))
    kept = {row.name for row in ranked[: max(most, 0)]}
    return [row for row in important if row.name in kept]


def hidden_rows(rows: Iterable[Row], shown: Sequence[Row]) -> str:
    count = Counter(row.state for row in rows) - Counter(row.state for row in shown)
    more = f"{printed_sign(MORE, sys.stderr)} and {count.total()} more"
    if len(count) == 1:
        return f"{more} {next(iter(count))}"
    return f"{more}: {counted(count)}"


def total(rows: Collection[Row], seconds: float) -> str:
    count = Counter(row.state for row in rows)
    return f"{plural(len(rows), 'machine')}: {counted(count)} ({duration(seconds)})"


def counted(count: Counter[RowState]) -> str:
    return ", ".join(f"{count[state]} {state}" for state in RowState if count[state])


def unfinished_lines(rows: Collection[Row]) -> list[str]:
    """Return a line for each machine that was interrupted, and one for all that have not begun."""
    lines = [f"{row.name}: {row.text()}" for row in rows if row.state is RowState.UNFINISHED]
    names = [row.name for row in rows if row.state is RowState.NOT_BEGUN]
    return [*lines, *([f"Not begun: {first_names(names)}"] if names else [])]
