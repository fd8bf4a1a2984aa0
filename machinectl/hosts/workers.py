"""Lock machines and work on many at once. Failures do not stop others."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from machinectl.errors import MachineError
from machinectl.hosts.parallel import run_at_once
from machinectl.hosts.rollout_order import RolloutOrder
from machinectl.machines.selection import chosen, waiting
from machinectl.machines.store.held_machines import forget_failure, record_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from machinectl.console import Console
    from machinectl.hosts.login import Login
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store

T = TypeVar("T")


def work_on_each(
    store: Store,
    console: Console,
    names: Sequence[str],
    login: Login,
    work: Callable[[Held, Console, Login], T],
) -> Iterator[tuple[str, T | MachineError]]:
    """Lock each machine and work on it; see `run_at_once`.

    Records failures. A password typed for one host goes to no other.
    """

    def one(name: str, console: Console) -> T:
        with locked_machine(store, console, name) as held:
            return work(held, console, login.for_one_host())

    return run_at_once(console, chosen(store, names), one)


def plan_each(
    store: Store,
    console: Console,
    names: Sequence[str],
    login: Login,
    plan: Callable[[Machine, Console, Login], T],
) -> Iterator[tuple[str, T | MachineError]]:
    """Plan for --dry-run: no locks, no writes."""

    def one(name: str, console: Console) -> T:
        return plan(store.read(name), console, login.for_one_host())

    return run_at_once(console, chosen(store, names), one)


@contextmanager
def locked_machine(store: Store, console: Console, name: str) -> Iterator[Held]:
    """Settle pending certificates first. Record a failure until the next success."""
    store.check_exists(name)
    with store.writing(name, waiting(console, name)) as held:
        if store.is_unsettled(name):
            # Imported here: it loads TLS.
            from machinectl.hosts.identity import settle_pending_held

            settle_pending_held(held)
        try:
            yield held
        except MachineError as exc:
            record_failure(held, exc.cause)
            raise
        except KeyboardInterrupt:
            forget_failure(held, complete=False)
            raise
        forget_failure(held, complete=True)


def work_in_turns(
    store: Store,
    console: Console,
    names: Sequence[str],
    login: Login,
    work: Callable[[Held, Console, Login, bool], T],
) -> Iterator[tuple[str, T | MachineError]]:
    """Lock each machine and work on it; yield each name with its result or error.

    `work` gets whether the engine may restart under containers now, and raises InUse if it must wait. After an engine
    that does not come up, no engine in use restarts.
    """
    from machinectl.provision.decision import EngineDown, InUse

    down: set[str] = set()

    def one(name: str, console: Console, *, in_use: bool) -> T:
        with locked_machine(store, console, name) as held:
            try:
                return work(held, console, login.for_one_host(), in_use)
            except EngineDown:
                down.add(name)
                raise

    later = []
    for name, result in run_at_once(console, names, partial(one, in_use=len(names) == 1)):
        if isinstance(result, InUse):
            later.append(name)
        else:
            yield name, result
    turns = RolloutOrder(later, rolled=later, counts=down.__contains__)
    is_stopped = bool(down)
    if not is_stopped:
        yield from run_at_once(console, later, partial(one, in_use=True), order=turns)
    for name in later if is_stopped else turns.stopped:
        yield name, MachineError(f'The engine of "{name}" was not restarted, because another one did not come up')
