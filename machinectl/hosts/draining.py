"""A node is drained before its engine restarts, and put back as it was: its tasks go on elsewhere meanwhile.

What it was is on record before it is drained: whatever ends the run in between, the next one puts it back.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from os.path import join
from typing import TYPE_CHECKING

from machinectl.engine import swarm
from machinectl.errors import MachineError
from machinectl.hosts.swarm import Manager, answering, cluster_of, keep, until
from machinectl.machines.chosen import LOCK_PAUSE
from machinectl.machines.store import Lock
from machinectl.machines.swarm_node import MANAGER, WORKER, SwarmNode, node_of
from machinectl.machines.swarms import name_of, nodes_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.console import Console
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store
    from machinectl.provision.facts import Facts
    from machinectl.provision.target import Allowed

DRAIN = "drain"
# How long tasks are given to move: images are pulled where they go. Seconds.
MOVED_WITHIN = 120.0
# How long a node is given to be heard of again when its engine has restarted. Seconds.
BACK_WITHIN = 60.0


@dataclass(frozen=True)
class Way:
    """A manager by which a node, of that ID, is drained."""

    manager: Manager
    node_id: str

    @property
    def availability(self) -> str:
        node = self.manager.node(self.node_id)
        return node.availability if node else ""

    @property
    def leads_anywhere(self) -> bool:
        """Whether another node takes tasks."""
        return any(node.takes_tasks for node in self.manager.nodes if node.id != self.node_id)

    def drain(self, console: Console, name: str) -> None:
        """Have a node's tasks go to others, and wait until they have. Raises MachineError."""
        there = self.manager.endpoint
        with console.step(title(name)):
            before = swarm.starting(there)
            swarm.update(there, self.node_id, Availability=DRAIN)
            gone = until(
                console, lambda: not swarm.tasks(there, self.node_id) and swarm.starting(there) <= before, MOVED_WITHIN
            )
        if not gone:
            console.warn(f'Not all tasks of "{name}" run elsewhere after {MOVED_WITHIN:.0f} s; it goes on without them')

    def put_back(self, availability: str) -> None:
        swarm.update(self.manager.endpoint, self.node_id, Availability=availability)

    def is_ready(self) -> bool:
        return swarm.node(self.manager.endpoint, self.node_id).state == "ready"


def node_id_of(host: Facts) -> str:
    """The ID that a host's engine has as a node, as it says itself; "" for one that is none."""
    return str(host.info.get("SwarmNode") or "") if host.swarm else ""


def allowed(store: Store, machine: Machine, host: Facts, given: Allowed) -> Allowed:
    """What may be done on a host: its engine may restart, too, where it is a node that can be drained."""
    if not host.swarm or given.restart_swarm:
        return given
    return replace(given, restart_swarm=way_to_drain(store, machine, node_id_of(host)) is not None)


def title(name: str) -> str:
    return f'Draining "{name}": its tasks move to other nodes'


def foretold(store: Store, machine: Machine, host: Facts) -> str:
    """By whom a node would be drained, for --dry-run; "" where it would not."""
    way = way_to_drain(store, machine, node_id_of(host))
    if way is None or way.availability == DRAIN:
        return ""
    return f'by "{way.manager.machine.name}"; {way.availability} again afterwards'


def way_to_drain(store: Store, machine: Machine, node_id: str) -> Way | None:
    """How a node is drained, by another manager where one answers; None where it cannot be, or leads nowhere."""
    way = way_to(store, machine, node_id)
    return way if way and way.leads_anywhere else None


def way_to(store: Store, machine: Machine, node_id: str) -> Way | None:
    """A manager among the machines that knows a node, another one where it can be."""
    if not node_id:
        return None
    known = node_of(machine)
    cluster = known.cluster if known and known.node == node_id else ""
    cluster = cluster or cluster_of(store, node_id)
    if not cluster:
        return None
    managers = [(each, node.node) for each, node in nodes_of(store, cluster) if node.manages]
    found = answering(sorted(managers, key=lambda each: each[0].name == machine.name))
    return Way(found, node_id) if isinstance(found, Manager) and found.node(node_id) else None


@contextmanager
def drained(held: Held, console: Console, node_id: str) -> Iterator[None]:
    """A machine's node is drained meanwhile, one of its swarm at a time, and put back as it was; "" is no node's ID.

    Where it cannot be drained, or is so already, it is left as it is. What breaks off in between is put right by the
    next run, where it is no MachineError: that is put right here.
    """
    way = way_to_drain(held.store, held.machine, node_id)
    if way is None:
        yield
        return
    with one_at_a_time(held, console, recorded(held, way)):
        try:
            drain(held, console, way)
            yield
        except MachineError:
            put_back(held, console)
            raise
        put_back(held, console)


def drain(held: Held, console: Console, way: Way) -> None:
    """Drain a machine's node, and have on record first what it was. Raises MachineError."""
    node = recorded(held, way)
    if not node.before and way.availability == DRAIN:
        return
    node.before = node.before or way.availability
    keep(held, node)
    way.drain(console, held.name)


def recorded(held: Held, way: Way) -> SwarmNode:
    """A machine's node as its record has it, or as its manager does."""
    known = node_of(held.machine)
    if known and known.node == way.node_id:
        return known
    of_manager = node_of(way.manager.machine)
    cluster = of_manager.cluster if of_manager else ""
    there = way.manager.node(way.node_id)
    role = MANAGER if there and there.manages else WORKER
    return SwarmNode(name_of(held.store, cluster, ""), cluster, way.node_id, role)


def put_back(held: Held, console: Console) -> None:
    """Give a node the availability that it had before, where its record has one; what keeps from that is a warning."""
    node = node_of(held.machine)
    if node is None or not node.before:
        return
    try:
        with console.step(f'Putting "{held.name}" back as it was in its swarm: {node.before}'):
            give_back(held, console, node)
    except MachineError as exc:
        console.warn(f'"{held.name}" is still drained: {exc.cause}\nPut it back: machinectl provision {held.name}')
        return
    node.before = ""
    keep(held, node)


def give_back(held: Held, console: Console, node: SwarmNode) -> None:
    """Have a node as it was, when it is heard of again: a manager that restarts has to find a leader first."""

    def is_back() -> bool:
        way = way_to(held.store, held.machine, node.node)
        return way is not None and way.is_ready()

    until(console, is_back, BACK_WITHIN)
    way = way_to(held.store, held.machine, node.node)
    if way is None:
        raise MachineError("no manager of its swarm answers")
    way.put_back(node.before)


@contextmanager
def one_at_a_time(held: Held, console: Console, node: SwarmNode) -> Iterator[None]:
    """No other machinectl with this store drains a node of the same swarm meanwhile: tasks need somewhere to go."""
    said = False

    def wait() -> None:
        nonlocal said
        if not said:
            console.note(f'"{held.name}" waits for another node of the swarm "{node.swarm}" to be back')
            said = True
        console.pause(LOCK_PAUSE)

    # No machine has a name that begins with a dot.
    with Lock(join(held.store.locks, f".swarm-{node.cluster}"), wait):
        yield
