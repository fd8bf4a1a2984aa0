"""Create and change machines; restart engines in use in batches."""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.fleet.rollout import machine_changes
from machinectl.fleet.rollout.differences import options_of
from machinectl.fleet.rollout.plan_steps import Action, Did, Result
from machinectl.hosts.rollout_order import RolloutOrder
from machinectl.hosts.workers import locked_machine
from machinectl.machines.jump_hosts import machine_of
from machinectl.machines.record import Phase
from machinectl.machines.selection import waiting
from machinectl.provision.decision import InUse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.console import Console
    from machinectl.fleet.rollout.apply_run import ApplyRun

STOPPED = "no engine restarts after one that failed"


def log_in_before_restarts(run: ApplyRun, console: Console) -> Iterator[Result]:
    """If several engines may restart, log in first; yield failures."""
    run.restarting = {*(name for name in run.to_change() if may_restart(run, name)), *run.changed_by_hand}
    if len(run.restarting) > 1:
        names = [name for name in run.restarting if is_reachable_as_recorded(run, name)]
        yield from (result for result in run.at_once(console, names, try_login) if result.error)


def is_reachable_as_recorded(run: ApplyRun, name: str) -> bool:
    """Return whether neither a set-up host nor its jump hosts move."""
    way = [name]
    while (jump := machine_of(run.machines[way[-1]].jump)) in run.machines and jump not in way:
        way.append(jump)
    is_set_up = run.machines[name].changes and run.host(name).spec.provision
    return bool(is_set_up) and not any(moves(run, passed, "ssh-jump") for passed in way if passed in run.steps)


def moves(run: ApplyRun, name: str, *others: str) -> bool:
    """Return whether an option of the driver, or one of `others`, differs."""
    keys = {option.shown for option in options_of(run.machines[name].driver)}.union(others)
    return any(difference.key in keys for difference in run.steps[name].differences)


def try_login(run: ApplyRun, name: str, console: Console) -> Did:
    from machinectl.hosts.login import logged_in, pin_known_hosts, root_runner

    login = run.login(name)
    with (
        locked_machine(run.store, console, name) as held,
        logged_in(held.machine, console, login, pin=partial(pin_known_hosts, held)) as session,
    ):
        root_runner(session, console, login)
    return Did.LEFT


def create_and_change(run: ApplyRun, console: Console) -> Iterator[Result]:
    """Restart engines in use in batches. Only a look at a new host shows one; then it goes last, as do those behind."""
    failed = {result.name for result in run.results.values() if result.did is Did.FAILED}
    left = [*run.to_change(), *run.changed_by_hand]
    after = {name: [machine_of(run.host(name).spec.jump)] for name in left}
    rolled, before, failures_left = list(run.restarting), 0, run.options.max_failures
    try:
        while left:
            order = RolloutOrder(
                left,
                after,
                rolled,
                run.options.batch.of(len(rolled), after=before),
                failures_left,
                counts=run.changed_hosts.__contains__,
                failed=failed.intersection(left),
            )
            ended = run.at_once(console, order.waiting, create_or_change, order)
            before, left, rolled, failed = before + len(rolled), [], [], set()
            for result in chain(ended, not_begun(order, '"{name}" is reached through "{other}", which failed')):
                if isinstance(result.error, InUse):
                    rolled.append(result.name)
                if result.name in rolled or order.barred.get(result.name) in rolled:
                    left.append(result.name)
                else:
                    yield result
            failures_left = order.failures_left
            if failures_left < 0:
                yield from (Result(name, Did.NOT_BEGUN, reason=STOPPED) for name in left)
                return
    finally:
        for name in run.in_use - run.touched:
            with run.store.writing(name, waiting(console, name)) as held:
                if not held.machine.changes and not held.machine.made:
                    held.remove()


def may_restart(run: ApplyRun, name: str) -> bool:
    """Return whether an engine in use may restart, also because it moved or is unfinished."""
    step, machine = run.steps[name], run.machines.get(name)
    if machine is None or machine.phase != Phase.READY:
        return False
    is_unknown = step.action is Action.RESUME or run.options.refresh or moves(run, name)
    return step.restarts or (is_unknown and bool(machine.changes))


def create_or_change(run: ApplyRun, name: str, console: Console) -> Did:
    run.touched.add(name)
    machine = run.machines.get(name)
    if machine and machine.phase == Phase.READY:
        machine_changes.change_machine(run, name, console)
        return Did.CHANGED
    try:
        machine_changes.create_machine(run, name, console)
    except InUse:
        run.in_use.add(name)
        run.touched.discard(name)
        raise
    return Did.CREATED


def not_begun(order: RolloutOrder, why: str) -> Iterator[Result]:
    """Yield machines that another's failure stopped. `why` has {name} and {other}."""
    for name, other in order.barred.items():
        yield Result(name, Did.NOT_BEGUN, MachineError(why.format(name=name, other=other)))
    for name in order.stopped:
        yield Result(name, Did.NOT_BEGUN, reason=STOPPED)
