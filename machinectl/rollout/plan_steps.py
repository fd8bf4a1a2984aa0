"""What is to be done with the machines of a fleet, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from machinectl.errors import MachineError
    from machinectl.fleet.model import FleetHost


class Action(StrEnum):
    """What is done with a machine: `RESUME` goes on with one that is half made, or whose host was not told all.

    `FAIL`: its record cannot be read, so nothing is.
    """

    CREATE = "create"
    RESUME = "resume"
    CHANGE = "change"
    REMOVE = "remove"
    LEAVE = "leave"
    FAIL = "fail"


@dataclass(frozen=True)
class Difference:
    """An option that shall be another one, under its key in the file; values as texts, without secrets.

    `restarts` is whether the engine restarts for it. The key `fleet` is whose machine it is (`FleetId`).
    """

    key: str
    old: str
    new: str
    restarts: bool = False


@dataclass(frozen=True)
class Step:
    """The planned action for one machine; `host` is as the file has it, None if the file no longer has it.

    `error` is why its record cannot be read.
    """

    name: str
    action: Action
    host: FleetHost | None = None
    differences: tuple[Difference, ...] = ()
    error: MachineError | None = None

    @property
    def restarts(self) -> bool:
        """Whether an engine that is in use restarts."""
        return any(each.restarts for each in self.differences)


@dataclass(frozen=True)
class Plan:
    """What is to be done with each machine that is of the fleet, or was."""

    steps: tuple[Step, ...]

    @property
    def has_work(self) -> bool:
        return any(step.action not in {Action.LEAVE, Action.FAIL} for step in self.steps)
