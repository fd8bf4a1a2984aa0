"""Describe a plan, for people and as JSON."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from machinectl.driver.installed_drivers import load
from machinectl.fleet.rollout.plan_steps import Action
from machinectl.masking import without_secret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from machinectl.fleet.rollout.plan_steps import Difference, FleetPlan, PlanStep
    from machinectl.machines.record import Machine

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
