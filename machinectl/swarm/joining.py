"""`swarm join`: join a manager's swarm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.engine import swarm_api
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.machines.machine_driver import endpoint_of
from machinectl.machines.selection import waiting
from machinectl.machines.swarm_node import MANAGER, MEMBER, all_nodes, on_record
from machinectl.swarm.swarm_roles import join_machines
from machinectl.swarm_nodes.managers import Manager, Quorum, find_answering_manager
from machinectl.swarm_nodes.membership import TrustedSwarms, find_manager, update_recorded_node

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.console import Console
    from machinectl.machines.store import Store
    from machinectl.machines.swarm_node import SwarmNode
    from machinectl.swarm.swarm_join import Joining


def swarm_join(
    store: Store, console: Console, to: str, names: Sequence[str], joining: Joining, role: str
) -> Iterator[tuple[str, MachineError | None]]:
    """Join through `to`, a manager or a swarm; warn about an even number of managers."""
    # With --all, the manager is one of them.
    names = [name for name in names if name != to]
    if not names:
        raise UsageError(
            f'"{to}" cannot join itself', Hint("Name another manager", "machinectl swarm join", "<MANAGER>", to)
        )
    found = manager_to_join(store, console, to, [*(["--manager"] if role == MANAGER else []), *names])
    yield from join_machines(store, console, found, names, joining, role)
    if role == MANAGER and (even := Quorum.of(swarm_api.nodes(found.endpoint)).advice):
        console.warn(even)


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
