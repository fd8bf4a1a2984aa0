"""The results of one `apply`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from machinectl.rollout.plan_steps import Action

if TYPE_CHECKING:
    from machinectl.errors import MachineError


class Did(StrEnum):
    """The kinds of results, in the words and the order of the summary."""

    CREATED = "created"
    CHANGED = "changed"
    REMOVED = "removed"
    FAILED = "failed"
    NOT_BEGUN = "not begun"
    UNFINISHED = "not finished"
    LEFT = "as they were"
    GONE = "in the file no more"


DONE = frozenset({Did.CREATED, Did.CHANGED})
# The results of steps that need no work.
UNTOUCHED = {Action.LEAVE: Did.LEFT, Action.REMOVE: Did.GONE}


class Result(NamedTuple):
    """The result for one machine.

    `seconds` is how long the work took, `touched` whether its host was changed, `looked_at` the time of the last look
    at the host, "" for never. `reason` is why the machine was not begun or not finished, unless `error` says it.
    """

    name: str
    did: Did
    error: MachineError | None = None
    seconds: float = 0.0
    touched: bool = False
    looked_at: str = ""
    reason: str = ""
