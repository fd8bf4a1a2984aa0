"""Create and change machines; restart engines in use in batches."""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.fleet.rollout import machine_changes
from machinectl.fleet.rollout.apply_run import WORK
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
    names = to_change(run)
    run.restarting = {*filter(lambda name: may_restart(run, name), names), *run.changed_by_hand}
    if len(run.restarting) < 2:  # noqa: PLR2004 - a single engine delays no other
        return
    reachable = [name for name in names if name in run.restarting and can_be_reached_before(run, name)]

    def one(name: str, console: Console) -> Did:
        try_login(run, name, console)
        return Did.LEFT

    failed = (result for result in run.at_once(console, reachable, one) if result.error)
    yield from run.except_joining(failed)


def try_login(run: ApplyRun, name: str, console: Console) -> None:
    from machinectl.hosts.login import logged_in, pin_known_hosts, root_runner

    login = run.login(name)
    with locked_machine(run.store, console, name) as held:
        pin = partial(pin_known_hosts, held)
        with logged_in(held.machine, console, login, pin=pin) as session:
            root_runner(session, console, login)


def create_and_change(run: ApplyRun, console: Console) -> Iterator[Result]:
    yield from run.except_joining(work_in_batches(run, console))


def to_change(run: ApplyRun) -> list[str]:
    return [name for name in run.names(*WORK) if not run.differs_only_in(name, "swarm", "fleet")]


def may_restart(run: ApplyRun, name: str) -> bool:
    """Return whether an engine in use may restart, also because it moved or is unfinished."""
    step, machine = run.steps[name], run.machines.get(name)
    if machine is None or machine.phase != Phase.READY:
        return False
    unknown = step.action is Action.RESUME or run.options.refresh or changes_driver_options(run, name)
    return step.restarts or (unknown and bool(machine.changes))


def can_be_reached_before(run: ApplyRun, name: str) -> bool:
    """Return whether a set-up host is still reachable as recorded."""
    machine = run.machines[name]
    if not (machine.changes and run.host(name).spec.provision):
        return False
    way = [name]
    while (jump := machine_of(run.machines[way[-1]].jump)) and jump in run.machines and jump not in way:
        way.append(jump)
    return not any(changes_driver_options(run, each, "ssh-jump") for each in way if each in run.steps)


def changes_driver_options(run: ApplyRun, name: str, *others: str) -> bool:
    """Return whether an option of the driver, or one of `others`, differs."""
    keys = {option.shown for option in options_of(run.machines[name].driver)}.union(others)
    return any(each.key in keys for each in run.steps[name].differences)


def work_in_batches(run: ApplyRun, console: Console) -> Iterator[Result]:
    """Batch engines in use. Only a look at a new host shows that; then it goes last, with the hosts behind it."""
    failed = {result.name for result in run.results.values() if result.did is Did.FAILED}
    left = [*to_change(run), *run.changed_by_hand]
    after = {name: [machine_of(run.host(name).spec.jump)] for name in left}
    rolled, before, failures_left = list(run.restarting), 0, run.options.max_failures
    try:
        while left:
            turns = RolloutOrder(
                left,
                after,
                rolled,
                run.options.batch.of(len(rolled), after=before),
                failures_left,
                counts=run.changed_hosts.__contains__,
                failed=failed.intersection(left),
            )
            ended = run.at_once(console, turns.waiting, lambda name, own: create_or_change(run, name, own), turns)
            before, left, rolled = before + len(rolled), [], []
            failed = set()
            for result in chain(ended, not_begun(turns, '"{name}" is reached through "{other}", which failed')):
                if isinstance(result.error, InUse):
                    rolled.append(result.name)
                if result.name in rolled or turns.barred.get(result.name) in rolled:
                    left.append(result.name)
                else:
                    yield result
            failures_left = turns.failures_left
            if failures_left < 0:
                yield from (Result(name, Did.NOT_BEGUN, reason=STOPPED) for name in left)
                return
    finally:
        for name in run.in_use - run.touched:
            with run.store.writing(name, waiting(console, name)) as held:
                if not held.machine.changes and not held.machine.made:
                    held.remove()


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


def not_begun(turns: RolloutOrder, why: str) -> Iterator[Result]:
    """Yield machines that another's failure stopped. `why` has {name} and {other}."""
    for name, other in turns.barred.items():
        yield Result(name, Did.NOT_BEGUN, MachineError(why.format(name=name, other=other)))
    for name in turns.stopped:
        yield Result(name, Did.NOT_BEGUN, reason=STOPPED)
