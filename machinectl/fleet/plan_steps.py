"""A plan for the machines of a fleet and the results of `apply`, as values, as text and as JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from machinectl.driver.installed_drivers import load
from machinectl.fleet.yaml_nodes import Hidden
from machinectl.machines.store.store_paths import now
from machinectl.masking import without_secret

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

    @property
    def only_joins(self) -> bool:
        """Whether a machine joins the swarm, and changes nothing else."""
        keys = {difference.key for difference in self.differences}
        return self.action is Action.CHANGE and keys in ({"swarm"}, {"swarm", "fleet"})


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


DIFFERENT, FAILED = "changed on the host", "failed"
# In the summary's order.
RESULTS = {
    Action.CREATE: "to create",
    Action.RESUME: "to finish",
    Action.CHANGE: "to change",
    Action.REMOVE: "to remove",
    Action.LEAVE: "unchanged",
    Action.FAIL: "unreadable",
}
SHOWN_IF_ANY = {RESULTS[Action.RESUME], RESULTS[Action.FAIL], DIFFERENT, FAILED}


def summary(plan: FleetPlan, *, prune: bool) -> str:
    count = Counter(step_result(step, plan) for step in plan.steps)
    parts = {
        what: f"{count[what]} {what}"
        for what in (*RESULTS.values(), DIFFERENT, FAILED)
        if count[what] or what not in SHOWN_IF_ANY
    }
    if count[RESULTS[Action.REMOVE]] and not prune:
        parts[RESULTS[Action.REMOVE]] += " with --prune"
    return ", ".join(parts.values())


def has_changes(plan: FleetPlan, *, prune: bool) -> bool:
    """Return whether there is work; removals count only with --prune."""
    left = {Action.LEAVE, Action.FAIL} if prune else {Action.LEAVE, Action.FAIL, Action.REMOVE}
    return bool(plan.previews) or any(step.action not in left for step in plan.steps)


def needed_flags(plan: FleetPlan) -> list[str]:
    """Return the flags without which apply leaves a part of the plan undone."""
    # Only a look at a host shows what was changed there by hand.
    has_drift = any(step_result(step, plan) == DIFFERENT for step in plan.steps)
    takes_over = any(change.key == "fleet" and change.old for step in plan.steps for change in step.differences)
    return [*(["--refresh"] if has_drift else []), *(["--take-over"] if takes_over else [])]


def step_lines(step: PlanStep, machine: Machine | None, *, prune: bool) -> list[str]:
    if step.host and step.action is Action.CREATE:
        return [f"create ({', '.join(filter(None, (step.host.spec.driver, driver_address(step))))})"]
    if step.action is Action.FAIL:
        return ["its record cannot be read"]
    if step.action is Action.REMOVE:
        return ["remove" if prune else "remove (with --prune)"]
    differences = [difference_text(difference) for difference in step.differences]
    if step.action is Action.RESUME:
        return [f"unfinished: {machine.why_unfinished if machine else ''}", *differences]
    return [f"change: {differences[0]}"] if len(differences) == 1 else ["change:", *differences]


def difference_text(difference: Difference) -> str:
    key, old, new = difference.key, difference.old, difference.new
    if key == "fleet":
        return f"taken over from {old} (with --take-over)" if old else "taken over by this file"
    if old and new:
        text = f"{key} {old} -> {new}" if old != new else f"{key} {new} (another secret)"
    else:
        text = f"{key} + {new}" if new else f"{key} - {old}"
    effects = "; ".join(filter(None, ("the engine restarts" if difference.restarts else "", difference.effect)))
    return text + (f" ({effects})" if effects else "")


def driver_address(step: PlanStep) -> str:
    """Return what identifies the host to its driver, or ""."""
    if step.host is None:
        return ""
    host, options = step.host, step.host.spec.options
    known_by = [option for option in load(host.spec.driver).options() if option.identity]
    return ":".join(
        host.typed.get(option.shown, without_secret(str(options[option.name])))
        for option in known_by
        if options.get(option.name) not in {None, option.default}
    )


def step_result(step: PlanStep, plan: FleetPlan) -> str:
    if step.name in plan.failed and not step.error:
        return FAILED
    if step.action is Action.LEAVE and step.name in plan.previews:
        return DIFFERENT
    return RESULTS[step.action]


def step_reason(step: PlanStep, plan: FleetPlan) -> str:
    if step.name in plan.failed:
        return plan.failed[step.name].cause
    if step.action is Action.LEAVE:
        reasons = [outcome.title for outcome in plan.previews.get(step.name, ())]
    else:
        reasons = [difference_text(difference) for difference in step.differences]
    if step.action is Action.RESUME and (machine := plan.machines.get(step.name)):
        reasons.insert(0, machine.why_unfinished)
    return plan.hidden.without("; ".join(reasons))


def step_as_json(step: PlanStep, plan: FleetPlan) -> Mapping[str, Any]:
    """Return a step as JSON; `Host` lists the changes that its host needs, if checked."""
    machine, failed = plan.machines.get(step.name), plan.failed.get(step.name)
    return {
        "Name": step.name,
        "Action": step.action,
        "Result": step_result(step, plan),
        "Reason": step_reason(step, plan),
        "Seconds": round(plan.seconds.get(step.name, 0.0), 3),
        "LookedAt": plan.last_look(step.name),
        "Driver": step.host.spec.driver if step.host else machine.driver if machine else "",
        "Address": driver_address(step),
        "Restarts": step.restarts,
        "Differences": [
            {"Key": each.key, "Old": each.old, "New": each.new, "Restarts": each.restarts, "Effect": each.effect}
            for each in step.differences
        ],
        "Host": [outcome.fields() for outcome in plan.previews.get(step.name, ())],
        "Error": failed.cause if failed else "",
    }
