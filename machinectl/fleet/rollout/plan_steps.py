"""A plan for the machines of a fleet and the results of `apply`, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from machinectl.fleet.file_errors import Hidden
from machinectl.machines.store.store_paths import now

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from machinectl.errors import MachineError
    from machinectl.fleet.fleet_file import FleetId
    from machinectl.fleet.host_reader import FleetHost
    from machinectl.hosts.host_plan import Outcome
    from machinectl.machines.record import Machine


class Action(StrEnum):
    """`RESUME` finishes an interrupted creation or change. `FAIL`: the record cannot be read."""

    CREATE = "create"
    RESUME = "resume"
    CHANGE = "change"
    REMOVE = "remove"
    LEAVE = "leave"
    FAIL = "fail"


@dataclass(frozen=True)
class Difference:
    """An option to change, by its key in the file, without secrets. `effect` is what people may not expect of it."""

    key: str
    old: str
    new: str
    restarts: bool = False
    effect: str = ""


@dataclass(frozen=True)
class PlanStep:
    """One machine's action. `host` is None if it left the file."""

    name: str
    action: Action
    host: FleetHost | None = None
    differences: tuple[Difference, ...] = ()
    error: MachineError | None = None

    @property
    def restarts(self) -> bool:
        return any(difference.restarts for difference in self.differences)

    def differs_only_in(self, *keys: str) -> bool:
        return self.action is Action.CHANGE and {difference.key for difference in self.differences} <= set(keys)


@dataclass(frozen=True)
class FleetPlan:
    """The chosen machines' steps, and all machines of the store.

    `previews` and `seconds` are for hosts that were looked at; `failed` says why a look or a record failed.
    `unreadable` are the file's hosts with unreadable records, chosen or not. `hidden` values are not shown.
    """

    steps: Sequence[PlanStep]
    fleet: FleetId
    machines: Mapping[str, Machine]
    unreadable: frozenset[str] = frozenset()
    previews: Mapping[str, Sequence[Outcome]] = field(default_factory=dict)
    failed: Mapping[str, MachineError] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    hidden: Hidden = field(default_factory=Hidden)

    def last_look(self, name: str) -> str:
        if name in self.seconds and name not in self.failed:
            return now()
        machine = self.machines.get(name)
        return machine.last_look if machine else ""


class Did(StrEnum):
    """The results, in the summary's words and order."""

    CREATED = "created"
    CHANGED = "changed"
    REMOVED = "removed"
    FAILED = "failed"
    NOT_BEGUN = "not begun"
    UNFINISHED = "not finished"
    LEFT = "unchanged"
    GONE = "no longer in the file"


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

    def fields(self) -> dict[str, Any]:
        error = self.error
        return {
            "Name": self.name,
            "Result": self.did,
            "Reason": error.cause if error else self.reason,
            "Hint": error.hint if error else "",
            "Seconds": self.seconds,
            "LookedAt": self.looked_at,
        }
