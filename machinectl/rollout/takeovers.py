"""Machines recorded for another fleet, or by an old name of this one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.machines.selection import waiting
from machinectl.rollout.apply_run import WORK
from machinectl.rollout.plan_steps import Action
from machinectl.rollout.results import Did, Result

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.console import Console
    from machinectl.rollout.apply_run import ApplyRun

# Names in a question or an error.
MOST_NAMED = 10


def ask_about_takeover(run: ApplyRun, console: Console) -> Iterator[Result]:
    """Ask whether to take over other fleets' machines, or leave them out.

    Raises MachineError if nobody can be asked.
    """
    others = {} if run.options.take_over else of_other_fleets(run)
    if not others:
        return
    named = [f"{name} ({fleet})" for name, fleet in others.items()]
    more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    cause = f"Machines of other fleets: {', '.join(named[:MOST_NAMED])}{more}"
    if not console.interactive:
        hint = f"Take them over: {run.options.command} --take-over; or remove them from the file"
        raise MachineError(cause, hint)
    console.note(cause)
    if console.confirm("Take them over?"):
        return
    for name, fleet in others.items():
        del run.steps[name]
        yield Result(name, Did.NOT_BEGUN, MachineError(f'"{name}" still belongs to the fleet {fleet}'))


def of_other_fleets(run: ApplyRun) -> dict[str, str]:
    """Return other fleets' machines with work, and their fleets."""
    recorded = {name: run.machines[name].fleet for name in run.names(*WORK) if name in run.machines}
    return {name: fleet for name, fleet in recorded.items() if fleet and not run.fleet.owns(fleet)}


def with_old_fleet(run: ApplyRun) -> list[str]:
    """Return machines that only need the fleet's new name."""
    only_joining = [name for name in run.names(Action.CHANGE) if run.differs_only_in(name, "swarm", "fleet")]
    names = [*run.names(Action.LEAVE, Action.REMOVE), *only_joining]
    return [name for name in names if run.machines[name].fleet != run.fleet.text]


def record_fleet(run: ApplyRun, console: Console) -> Sequence[Result]:
    """Record the name, unless another process changed it."""
    for name in with_old_fleet(run):
        with run.store.writing(name, waiting(console, name)) as held:
            if held.machine.fleet == run.machines[name].fleet:
                held.machine.fleet = run.fleet.text
                held.write()
    return ()
