"""Look for manual changes, and for what `apply` would do."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from machinectl.console import RewritingConsole
from machinectl.machines.selection import waiting
from machinectl.machines.store.last_failure import record_look
from machinectl.rollout import machine_changes
from machinectl.rollout.plan_steps import Action, Did, Result

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.console import Console
    from machinectl.hosts.lifecycle.host_plan import Outcome
    from machinectl.rollout.apply_run import ApplyRun
    from machinectl.rollout.plan_steps import FleetPlan


def only_taken_over(run: ApplyRun) -> list[str]:
    return [name for name in run.names(Action.CHANGE) if run.differs_only_in(name, "fleet")]


def to_look_at(run: ApplyRun) -> list[str]:
    """Return the machines for --refresh: their records need no change."""
    if not run.options.refresh:
        return []
    names = [*run.names(Action.LEAVE), *only_taken_over(run)]
    return [name for name in names if run.machines[name].provision and run.machines[name].changes]


def look_for_changes(run: ApplyRun, console: Console) -> Iterator[Result]:
    """Look for manual changes; yield machines that are done."""
    names, taken_over = to_look_at(run), only_taken_over(run)
    yield from (Result(name, Did.CHANGED) for name in taken_over if name not in names)
    for result in run.at_once(console, names, partial(look, run)):
        if result.did is Did.CHANGED:
            run.changed_by_hand.append(result.name)
        elif result.did is Did.LEFT and result.name in taken_over:
            yield Result(result.name, Did.CHANGED)
        elif result.did is not Did.LEFT:
            yield result


def look(run: ApplyRun, name: str, console: Console) -> Did:
    from machinectl.hosts.lifecycle.provisioning import preview_provisioning

    found = preview_provisioning(run.machines[name], console, run.access(name), run.setup(name), run.store)
    if any(each.changed for each in found.outcomes):
        return Did.CHANGED
    with run.store.writing(name, waiting(console, name)) as held:
        record_look(held)
    return Did.LEFT


def with_previews(run: ApplyRun, plan: FleetPlan, console: Console) -> FleetPlan:
    """Return the plan with what `apply` would do; only reads hosts."""
    previews: dict[str, Sequence[Outcome]] = {}
    failed = dict(plan.failed)
    hide = plan.hidden.without

    def preview(name: str, console: Console) -> Did:
        if outcomes := machine_changes.preview_host_changes(run, name, console):
            previews[name] = [
                replace(each, title=hide(each.title), details=tuple(map(hide, each.details))) for each in outcomes
            ]
        return Did.LEFT

    names = [name for name in run.steps if name not in failed and machine_changes.has_host_work(run, name)]
    for result in run.at_once(RewritingConsole(console, hide), names, preview):
        if result.error:
            plan.hidden.conceal(result.error)
            failed[result.name] = result.error
    return replace(plan, previews=previews, failed=failed, seconds=dict(run.seconds))
