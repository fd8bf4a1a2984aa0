"""`apply`: make machines and hosts match a fleet file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.console import RewritingConsole
from machinectl.fleet.rollout import phases
from machinectl.fleet.rollout.apply_run import ApplyRun, apply_locked
from machinectl.machines.jump_order import keep_jump_hosts
from machinectl.machines.store.store_directory import sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from machinectl.console import Console
    from machinectl.fleet.rollout.apply_run import ApplyOptions
    from machinectl.fleet.rollout.plan_steps import FleetPlan, Result
    from machinectl.machines.store import Store


def apply(
    store: Store,
    console: Console,
    make_plan: Callable[[], FleetPlan],
    options: ApplyOptions,
    approve: Callable[[FleetPlan], None] = lambda _: None,
) -> Iterator[Result]:
    """Carry out a plan, if `approve` does not raise Declined.

    A failure stops only the machines behind it and later restarts. After ^C, the other results come before
    KeyboardInterrupt.
    """
    run = ApplyRun(store, make_plan(), options)
    if phases.has_work(run):
        with apply_locked(store, console):
            # Another process may have changed something during the wait.
            plan = make_plan()
            approve(plan)
            run = ApplyRun(store, plan, options)
            if phases.changes_names(run):
                keep_jump_hosts(store, console)
            for result in phases.carry_out(run, RewritingConsole(console, plan.hidden.without)):
                if result.error:
                    plan.hidden.conceal(result.error)
                yield result
            sweep(store)
    yield from run.untouched()
