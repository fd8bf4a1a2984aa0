"""Work on many machines whose engines may restart: those that run containers go one after the other."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from machinectl.errors import MachineError
from machinectl.hosts.parallel.rollout_order import RolloutOrder
from machinectl.hosts.parallel.workers import locked_machine, run_at_once
from machinectl.provision.decision import EngineDown, InUse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from machinectl.console import Console
    from machinectl.hosts.connection.login import Login
    from machinectl.machines.store import Held, Store

T = TypeVar("T")


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
