"""The machines of a store that are nodes of swarms, by their records. Part of the light path."""

from __future__ import annotations

from machinectl.errors import MachineError
from machinectl.machines.record import Phase
from machinectl.machines.swarm_node import node_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store
    from machinectl.machines.swarm_node import SwarmNode


def nodes_of(store: Store, cluster: str) -> list[tuple[Machine, SwarmNode]]:
    """The machines that are nodes of a swarm by their records, by name."""
    return [(machine, node) for machine, node in all_nodes(store) if node.cluster == cluster]


def all_nodes(store: Store) -> list[tuple[Machine, SwarmNode]]:
    """The machines that are nodes of some swarm by their records, by name; who cannot be read is none."""
    found = []
    for name in store.names():
        try:
            machine = store.read(name)
        except MachineError:
            continue
        if machine.phase is Phase.READY and (node := node_of(machine)):
            found.append((machine, node))
    return found


def named(store: Store, name: str) -> list[tuple[Machine, SwarmNode]]:
    """The machines of the swarm that a machine is in, or that has that name itself; the one named comes first.

    Raises MachineError where there is none by the records.
    """
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


def name_of(store: Store, cluster: str, new: str) -> str:
    """How a swarm is called here; a `new` name where nobody knows it."""
    known = [node.swarm for _, node in nodes_of(store, cluster) if node.swarm] if cluster else []
    return next(iter(known), new)
