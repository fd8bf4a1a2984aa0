"""A plan for the machines of a fleet, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.fleet.syntax.hidden_values import Hidden
from machinectl.machines.store.store_paths import now

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machinectl.fleet.model import FleetHost, FleetId
    from machinectl.hosts.lifecycle.host_plan import Outcome
    from machinectl.machines.record import Machine


class Action(StrEnum):
    """What is done with a machine.

    `RESUME` finishes one that is half made, or whose host has not got all changes. `FAIL` does nothing, as the
    machine's record cannot be read.
    """

    CREATE = "create"
    RESUME = "resume"
    CHANGE = "change"
    REMOVE = "remove"
    LEAVE = "leave"
    FAIL = "fail"


@dataclass(frozen=True)
class Difference:
    """An option to change, by its key in the file. Values are texts, without secrets.

    `restarts` is whether the engine restarts for it. The key `fleet` is the fleet of the machine (`FleetId`).
    """

    key: str
    old: str
    new: str
    restarts: bool = False


@dataclass(frozen=True)
class PlanStep:
    """The action for one machine. `host` is None if the file no longer has it; `error` is why the step fails."""

    name: str
    action: Action
    host: FleetHost | None = None
    differences: tuple[Difference, ...] = ()
    error: MachineError | None = None

    @property
    def restarts(self) -> bool:
        """Return whether an engine in use restarts."""
        return any(each.restarts for each in self.differences)


@dataclass(frozen=True)
class FleetPlan:
    """The steps for the machines that were chosen, and the existing machines.

    `previews` is what would be done on the hosts that were looked at, changes made by hand included. `failed` is why
    records cannot be read, or hosts could not be looked at; `seconds` is how long each look took. `hosts` are all
    hosts of the file, chosen or not. `records` is all that the store has. `hidden` has the values that are not shown.
    """

    steps: Sequence[PlanStep]
    fleet: FleetId
    machines: Mapping[str, Machine]
    advice: tuple[str, ...] = ()
    previews: Mapping[str, Sequence[Outcome]] = field(default_factory=dict)
    failed: Mapping[str, MachineError] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    hosts: Sequence[FleetHost] = ()
    records: Mapping[str, Machine | MachineError] = field(default_factory=dict, repr=False)
    hidden: Hidden = field(default_factory=Hidden)

    def last_look(self, name: str) -> str:
        """Return the time of the last look at a machine's host, "" for never."""
        if name in self.seconds and name not in self.failed:
            return now()
        machine = self.machines.get(name)
        return machine.last_look if machine else ""

    @property
    def unreadable(self) -> frozenset[str]:
        """Return all hosts of the file whose records cannot be read, chosen or not."""
        return frozenset(host.name for host in self.hosts if isinstance(self.records.get(host.name), MachineError))
