"""`swarm join`: machines join the swarm of a manager."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.engine import swarm
from machinectl.errors import MachineError, UsageError
from machinectl.hosts.endpoint import endpoint
from machinectl.hosts.roles import join
from machinectl.hosts.swarm import Manager, Quorum, advice, answering, manager
from machinectl.machines.swarm_node import MANAGER
from machinectl.machines.swarms import named

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.console import Console
    from machinectl.hosts.joining import Joining
    from machinectl.machines.store import Store


def swarm_join(
    store: Store, console: Console, to: str, names: Sequence[str], joining: Joining, role: str
) -> Iterator[tuple[str, MachineError | None]]:
    """Yield each machine when it is in a swarm in a role, or with the reason why it is not.

    `to` is a manager of the swarm, or what the swarm is called. In the end an even number of managers is warned of.
    Raises MachineError where nobody answers for the swarm.
    """
    if to in names:
        raise UsageError(f'"{to}" cannot join itself', "machinectl swarm join <MANAGER> <NAME>")
    found = manager_by(store, to)
    yield from join(store, console, found, names, joining, role)
    if role == MANAGER and (even := advice(Quorum.of(swarm.nodes(found.endpoint)).managers)):
        console.warn(even)


def manager_by(store: Store, name: str) -> Manager:
    """A manager of the swarm that is meant, also where no record says so yet. Raises MachineError."""
    try:
        named(store, name)
    except MachineError:
        machine = store.read_ready(name)
        state = swarm.membership(endpoint(machine))
        if not state.is_in:
            raise MachineError(f'"{name}" is in no swarm', f"Have it begin one: machinectl swarm init {name}") from None
        found = answering([(machine, state.node)] if state.manages else [])
        if isinstance(found, Manager):
            return found
    return manager(store, name)
