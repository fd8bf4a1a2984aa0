"""Machines in swarms, by their records. Light path."""

from __future__ import annotations

from machinectl.errors import MachineError
from machinectl.machines.record import Phase
from machinectl.machines.swarm_node import MEMBER, on_record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store
    from machinectl.machines.swarm_node import SwarmNode


def all_nodes(store: Store) -> list[tuple[Machine, SwarmNode]]:
    """Return members by name; skip unreadable records."""
    return [(machine, node) for machine, node in on_records(store) if node.membership == MEMBER]


def on_records(store: Store) -> list[tuple[Machine, SwarmNode]]:
    """Return members, and machines that are joining or leaving."""
    found = []
    for name in store.names():
        try:
            machine = store.read(name)
        except MachineError:
            continue
        if machine.phase is Phase.READY and (node := on_record(machine)):
            found.append((machine, node))
    return found


def swarm_nodes(store: Store, name: str) -> list[tuple[Machine, SwarmNode]]:
    """Return the swarm of a machine, which comes first, or of that name. Raises MachineError."""
    there = all_nodes(store)
    own = next((node for machine, node in there if machine.name == name), None)
    swarms = [node for _, node in there if node.swarm == name]
    known = own or (swarms[0] if swarms else None)
    if known is None:
        store.check_exists(name)
        store.read_ready(name)
        raise no_node(name)
    same = [each for each in there if each[1].cluster == known.cluster and (known.cluster or each[1] is known)]
    return sorted(same, key=lambda each: each[0].name != name)


def no_node(name: str) -> MachineError:
    return MachineError(
        f'"{name}" is in no swarm that is known of',
        f"If it was joined by hand: machinectl swarm status {name}; have it begin one: machinectl swarm init {name}",
    )
