"""Carry out a plan: the phases of `apply`, in order."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from machinectl.console import RewritingConsole, confirm
from machinectl.errors import Hint, MachineError
from machinectl.fleet import machine_changes
from machinectl.fleet.apply_run import WORK, ApplyRun
from machinectl.fleet.plan_steps import DONE, UNTOUCHED, Did, Result
from machinectl.hosts.rollout_order import RolloutOrder
from machinectl.machines.jump_hosts import machine_of
from machinectl.machines.record import Phase
from machinectl.machines.selection import waiting, waiting_with_note
from machinectl.machines.store.held_machines import record_look
from machinectl.machines.store.store_directory import make_directory, sweep
from machinectl.machines.store.store_paths import Lock
from machinectl.quantities import first_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from machinectl.console import Console
    from machinectl.fleet.apply_run import ApplyOptions
    from machinectl.fleet.plan_steps import FleetPlan
    from machinectl.hosts.login import Login
    from machinectl.machines.store import Store
    from machinectl.swarm.swarm_members import Roles

    # Yields the machines whose last phase it was.
    ApplyPhase = Callable[[ApplyRun, Console], Iterable[Result]]

# No machine can have this name.
LOCK = ".apply"
# Names in a question or an error.
MOST_NAMED = 10


def apply_lock(store: Store, console: Console) -> Lock:
    """Return the `apply` lock, which says so if it has to wait."""
    make_directory(store, store.locks)
    return Lock(os.path.join(store.locks, LOCK), waiting_with_note(console, lambda: "Waiting for another apply …"))


def apply_plan(
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
    if run.names(*WORK) or run.with_old_fleet() or run.to_look_at() or (options.prune and run.gone()):
        with apply_lock(store, console):
            # Another process may have changed something during the wait.
            plan = make_plan()
            approve(plan)
            run = ApplyRun(store, plan, options)
            for result in carry_out(run, RewritingConsole(console, plan.hidden.without)):
                if result.error:
                    plan.hidden.conceal(result.error)
                yield result
            sweep(store)
    for name, step in run.steps.items():
        if step.error:
            yield Result(name, Did.FAILED, step.error)
        elif step.action in UNTOUCHED and name not in run.results:
            yield run.recorded(Result(name, UNTOUCHED[step.action]))


def carry_out(run: ApplyRun, console: Console) -> Iterator[Result]:
    """Run all phases. At ^C, yield the remaining machines, and raise KeyboardInterrupt."""
    told: set[str] = set()
    try:
        for _, phase in PHASES:
            for result in phase(run, console):
                run.results[result.name] = result
                # A machine that is ready still has to join its swarm.
                if result.name not in run.joining or result.did not in DONE:
                    told.add(result.name)
                    yield run.recorded(result)
    except KeyboardInterrupt:
        yield from (run.recorded(interrupted_result(run, name)) for name in run.steps if name not in told)
        raise


def interrupted_result(run: ApplyRun, name: str) -> Result:
    action = run.steps[name].action
    if name in run.touched:
        return Result(name, Did.UNFINISHED, reason="interrupted")
    waits_for_look = name in run.to_look_at() and name not in run.seconds
    if action in WORK or waits_for_look or name in (*run.changed_by_hand, *run.to_remove):
        return Result(name, Did.NOT_BEGUN, reason="interrupted")
    return Result(name, UNTOUCHED[action])


def ask_about_takeover(run: ApplyRun, console: Console) -> Iterator[Result]:
    """Take over other fleets' machines, or leave them out. Raises MachineError if nobody can be asked."""
    recorded = {name: run.machines[name].fleet for name in run.names(*WORK) if name in run.machines}
    others = {name: fleet for name, fleet in recorded.items() if fleet and not run.fleet.owns(fleet)}
    if run.options.take_over or not others:
        return
    named = [f"{name} ({fleet})" for name, fleet in others.items()]
    cause = f"Machines of other fleets: {first_names(named, MOST_NAMED)}"
    if not console.interactive:
        hint = Hint("Take them over", f"{run.options.command} --take-over") | Hint("or remove them from the file")
        raise MachineError(cause, hint)
    console.note(cause)
    if confirm(console, "Take them over?"):
        return
    for name, fleet in others.items():
        del run.steps[name]
        yield Result(name, Did.NOT_BEGUN, MachineError(f'"{name}" still belongs to the fleet {fleet}'))


def ask_about_removal(run: ApplyRun, console: Console) -> Sequence[Result]:
    gone, options = run.gone(), run.options
    if not (options.prune and gone):
        return ()
    from machinectl.hosts.removal import confirm_removal, warn_of_swarm

    for name in gone:
        warn_of_swarm(run.store, console, name)
    if options.yes or confirm_removal(run.store, console, gone, options.purge, f"{options.command} --yes"):
        run.to_remove = gone
    else:
        console.note(f"Not removed: {', '.join(gone)}")
    return ()


def record_fleet(run: ApplyRun, console: Console) -> Sequence[Result]:
    """Record the name, unless another process changed it."""
    for name in run.with_old_fleet():
        with run.store.writing(name, waiting(console, name)) as held:
            if held.machine.fleet == run.machines[name].fleet:
                held.machine.fleet = run.fleet.text
                held.write()
    return ()


def look_for_changes(run: ApplyRun, console: Console) -> Iterator[Result]:
    """Look for manual changes; yield failures."""
    for result in run.at_once(console, run.to_look_at(), look):
        if result.did is Did.CHANGED:
            run.changed_by_hand.append(result.name)
        elif result.error:
            yield result


def look(run: ApplyRun, name: str, console: Console) -> Did:
    from machinectl.hosts.provisioning import preview_provisioning

    plan = preview_provisioning(run.machines[name], console, run.login(name), run.setup(name), run.store)
    if any(outcome.changed for outcome in plan.outcomes):
        return Did.CHANGED
    with run.store.writing(name, waiting(console, name)) as held:
        record_look(held)
    return Did.LEFT


def choose_roles(run: ApplyRun, _: Console) -> Sequence[Result]:
    wanted = {
        name: step.host.swarm for name, step in run.steps.items() if step.host and step.host.swarm and not step.error
    }
    if wanted:
        from machinectl.machines.swarm_node import node_of
        from machinectl.swarm.swarm_members import Roles

        others = {
            name: node.role
            for name, machine in run.machines.items()
            if name not in run.steps
            and machine.phase == Phase.READY
            and run.fleet.owns(machine.fleet)
            and (node := node_of(machine))
        }
        run.roles = Roles(wanted, others, run.unreadable)
        run.joining = list(run.roles.differing(run.store))
    return ()


def form_swarm(run: ApplyRun, console: Console) -> Iterator[Result]:
    """Join machines, and yield the results that waited, if all machines of the swarm are ready."""
    waiting_here, run.joining = run.joining, []
    if run.roles is None:
        return
    ready = {name: result for name, result in run.results.items() if name in waiting_here and result.did in DONE}
    is_blocked = any(result.did not in DONE for name, result in run.results.items() if name in run.roles.roles)
    joining = [name for name in waiting_here if name in ready or run.steps[name].only_joins]
    for result in () if is_blocked or not joining else join_nodes(run, console, run.roles, joining):
        if result.name in joining:
            joining.remove(result.name)
        yield result if result.error else ready.get(result.name, result)
    for name in joining:
        why = MachineError(f'"{name}" did not join the swarm: its other machines have to be ready first')
        yield Result(name, Did.UNFINISHED if name in run.touched else Did.NOT_BEGUN, why)


def join_nodes(run: ApplyRun, console: Console, roles: Roles, joining: Sequence[str]) -> Iterator[Result]:
    """Yield machines that joined or failed; the first one fails if no swarm can be formed."""
    from machinectl.swarm.swarm_join import Joining

    asked: set[str] = set()

    def own_login(name: str, _: Login) -> Login:
        asked.add(name)
        run.touched.add(name)
        return run.login(name)

    try:
        for name, error in roles.form(run.store, console, Joining(run.options.login, own=own_login)):
            # A node whose engine lost its recorded role has work, too.
            if name in asked.union(joining):
                yield Result(name, Did.FAILED if error else Did.CHANGED, error)
    except MachineError as exc:
        yield from (Result(name, Did.FAILED, exc) for name in joining[:1])


def remove_gone_machines(run: ApplyRun, console: Console) -> Iterator[Result]:
    """Remove machines before their jump hosts: undoing them needs those."""
    if not run.to_remove:
        return
    jumps = {name: machine_of(run.machines[name].jump) for name in run.to_remove}
    names = list(run.to_remove)
    order = RolloutOrder(names, {jump: [name for name in names if jumps[name] == jump] for jump in names})
    yield from run.at_once(console, names, machine_changes.remove_from_fleet, order)
    yield from machine_changes.not_begun(order, '"{other}" is reached through "{name}", and was not removed')


PHASES: Sequence[tuple[str, ApplyPhase]] = (
    ("Ask about machines of other fleets", ask_about_takeover),
    ("Ask before machines are removed", ask_about_removal),
    ("Record the fleet of machines that need no other change", record_fleet),
    ("Look for changes made by hand on hosts", look_for_changes),
    ("Find out which machines join the swarm", choose_roles),
    ("Create and change machines", machine_changes.create_and_change),
    ("Form the swarm", form_swarm),
    ("Remove machines that left the file", remove_gone_machines),
)
