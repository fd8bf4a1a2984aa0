"""Begin swarms, join machines to them, and make machines leave: several at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.engine import swarm_api
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.hosts.workers import work_on_each
from machinectl.machines.machine_driver import endpoint_of
from machinectl.machines.record import natural
from machinectl.machines.selection import waiting
from machinectl.machines.swarm_node import MANAGER, MEMBER, all_nodes, node_of, on_record
from machinectl.swarm.swarm_join import leave_swarm
from machinectl.swarm_nodes.managers import Manager, find_answering_manager
from machinectl.swarm_nodes.membership import TrustedSwarms, find_manager, update_recorded_node

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from machinectl.console import Console
    from machinectl.hosts.login import Login
    from machinectl.machines.store import Held, Store
    from machinectl.machines.swarm_node import SwarmNode
    from machinectl.swarm.swarm_join import Joining

    Results = Iterator[tuple[str, MachineError | None]]


def begin_swarm(store: Store, console: Console, name: str, joining: Joining) -> Results:
    def work(held: Held, console: Console, login: Login) -> None:
        joining.at(held.name, login).init(held, console)

    yield from work_on_each(store, console, [name], joining.login, work)


def join_machines(
    store: Store, console: Console, to: Manager, names: Iterable[str], joining: Joining, role: str
) -> Results:
    """Yield each machine, with an error if that fails. Managers join one by one, as each changes the quorum."""

    def work(held: Held, console: Console, login: Login) -> None:
        joining.at(held.name, login).join(held, console, to, role)

    wanted = sorted(dict.fromkeys(names), key=natural)
    batches = [[name] for name in wanted] if role == MANAGER else [wanted] if wanted else []
    for batch in batches:
        yield from work_on_each(store, console, batch, joining.login, work)


def swarm_join(store: Store, console: Console, to: str, names: Sequence[str], joining: Joining, role: str) -> Results:
    """Join through `to`, a manager or a swarm."""
    # With --all, the manager is one of them.
    names = [name for name in names if name != to]
    if not names:
        raise UsageError(
            f'"{to}" cannot join itself', Hint("Name another manager", "machinectl swarm join", "<MANAGER>", to)
        )
    found = manager_to_join(store, console, to, [*(["--manager"] if role == MANAGER else []), *names])
    yield from join_machines(store, console, found, names, joining, role)


def manager_to_join(store: Store, console: Console, name: str, rest: Sequence[str]) -> Manager:
    """Return the named manager, or any of the swarm with that name.

    `rest` is for hints.
    """
    is_machine = store.exists(name) and not (
        on_record(store.read(name)) is None and any(node.swarm == name for _, node in all_nodes(store))
    )
    if not is_machine:
        return find_manager(store, name)
    node = node_of_manager(store, console, name)
    others = [machine.name for machine in TrustedSwarms(store).managers(node.cluster) if machine.name != name]
    hint = Hint("See", "machinectl swarm status", name)
    if others:
        hint |= Hint("or join through another", "machinectl swarm join", others[0], *rest)
    if not node.manages:
        what = f"a {node.role}" if node.membership == MEMBER else f"a node ({node.membership})"
        raise MachineError(f'"{name}" is {what} of the swarm "{node.swarm}": others cannot join through it', hint)
    found = find_answering_manager([store.read(name)], pause=console.pause)
    if isinstance(found, Manager):
        return found
    raise MachineError(f'"{name}" does not answer as a manager of its swarm: {found.why}', hint)


def node_of_manager(store: Store, console: Console, name: str) -> SwarmNode:
    """Return the recorded manager, else ask the engine and update the record."""
    machine = store.read_ready(name)
    node = on_record(machine)
    if node is None or not node.manages:
        state = swarm_api.membership(endpoint_of(machine))
        with store.writing(name, waiting(console, name)) as held:
            node = update_recorded_node(held, state, as_manager=node is None)
    if node is None:
        raise MachineError(f'"{name}" is in no swarm', Hint("Begin one", "machinectl swarm init", name))
    return node


def swarm_leave(store: Store, console: Console, names: Sequence[str], login: Login, *, force: bool) -> Results:
    """Run serially, workers first: another node must take the tasks."""

    def work(held: Held, console: Console, login: Login) -> None:
        leave_swarm(held, console, login, force=force)

    for name in sorted(dict.fromkeys(names), key=lambda name: (manages(store, name), natural(name))):
        yield from work_on_each(store, console, [name], login, work)


def manages(store: Store, name: str) -> bool:
    try:
        node = node_of(store.read(name))
    except MachineError:
        return False
    return bool(node and node.manages)
