"""Remove the machines that left the fleet file."""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.hosts.parallel.rollout_order import RolloutOrder
from machinectl.machines.jump_hosts import loop_text, loops, machine_of
from machinectl.rollout import machine_changes
from machinectl.rollout.restarts import not_begun
from machinectl.rollout.results import Did, Result

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.console import Console
    from machinectl.rollout.apply_run import ApplyRun


def ask_about_removal(run: ApplyRun, console: Console) -> Sequence[Result]:
    gone, options = run.gone(), run.options
    if not (options.prune and gone):
        return ()
    from machinectl.hosts.lifecycle.removal import confirm_removal, warn_of_swarm

    for name in gone:
        warn_of_swarm(run.store, console, name)
    if options.yes or confirm_removal(run.store, console, gone, options.purge, f"{options.command} --yes"):
        run.to_remove = gone
    return ()


def remove_gone_machines(run: ApplyRun, console: Console) -> Iterator[Result]:
    """Remove machines before their jump hosts: undoing them needs those."""
    jumps = {name: machine_of(run.machines[name].jump) for name in run.to_remove}
    staying = {**in_a_loop(jumps), **needed_by_swarms(run)}
    for name, why in staying.items():
        run.did[name] = Did.FAILED
        yield Result(name, Did.FAILED, why)
    names = [name for name in run.to_remove if name not in staying]
    turns = RolloutOrder(names, {jump: [name for name in names if jumps[name] == jump] for jump in names})
    left = not_begun(turns, '"{other}" is reached through "{name}", and was not removed')
    yield from chain(run.at_once(console, names, partial(machine_changes.remove_from_fleet, run), turns), left)


def in_a_loop(jumps: dict[str, str]) -> dict[str, MachineError]:
    """Return the machines in jump host loops: none can go first."""
    return {
        name: MachineError(loop_text(loop), f"Break the loop: machinectl set --ssh-jump none {name}")
        for loop in loops(jumps)
        for name in loop
    }


def needed_by_swarms(run: ApplyRun) -> dict[str, MachineError]:
    if not run.to_remove:
        return {}
    from machinectl.hosts.swarm.membership import machines_needed_for_quorum

    return machines_needed_for_quorum(run.store, run.to_remove)
