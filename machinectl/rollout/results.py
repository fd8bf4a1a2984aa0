"""The results of one `apply`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from machinectl.rollout.plan_steps import Action

if TYPE_CHECKING:
    from machinectl.errors import MachineError


class Did(StrEnum):
    """The results, in the summary's words and order."""

    CREATED = "created"
    CHANGED = "changed"
    REMOVED = "removed"
    FAILED = "failed"
    NOT_BEGUN = "not begun"
    UNFINISHED = "not finished"
    LEFT = "as they were"
    GONE = "in the file no more"


DONE = frozenset({Did.CREATED, Did.CHANGED})
# Results of steps without work.
UNTOUCHED = {Action.LEAVE: Did.LEFT, Action.REMOVE: Did.GONE}


class Result(NamedTuple):
    """One machine's result.

    `touched`: its host was changed. `looked_at` is "" for never. `reason` says why it did not begin or finish,
    unless `error` does.
    """

    name: str
    did: Did
    error: MachineError | None = None
    seconds: float = 0.0
    touched: bool = False
    looked_at: str = ""
    reason: str = ""
