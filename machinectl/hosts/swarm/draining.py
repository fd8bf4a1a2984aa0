"""A node is drained before its engine restarts, and put back as it was: its tasks go on elsewhere meanwhile.

What it was is on record before it is drained: whatever ends the run in between, the next one puts it back.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, replace
from os.path import join
from typing import TYPE_CHECKING, TypeVar

from machinectl.engine import swarm_api
from machinectl.errors import MachineError
from machinectl.hosts.swarm.managers import Manager, Quorum, find_answering_manager, wait_until
from machinectl.hosts.swarm.membership import TrustedSwarms, call_manager, save_node
from machinectl.machines.selection import LOCK_PAUSE
from machinectl.machines.store.lock import Lock
from machinectl.machines.swarm_members import on_records
from machinectl.machines.swarm_node import MANAGER, WORKER, SwarmNode, on_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from machinectl.console import Console
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store
    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.target import Allowed

Result = TypeVar("Result")

DRAIN = "drain"
# How long tasks are given to move: images are pulled where they go. Seconds.
MOVED_WITHIN = 120.0
# How long a manager that is lost is given to be back before another one restarts. Seconds.
VOTES_WITHIN = 30.0
# How long a node is given to be heard of again when its engine has restarted. Seconds.
BACK_WITHIN = 60.0


@dataclass(frozen=True)
class DrainManager:
    """A manager by which a node, of that ID, is drained, and where it is on record."""

    store: Store
    manager: Manager
    node_id: str

    @property
    def availability(self) -> str:
        node = self.manager.node(self.node_id)
        return node.availability if node else ""

    @property
    def manages(self) -> bool:
        node = self.manager.node(self.node_id)
        return node is not None and node.manages

    @property
    def leads_anywhere(self) -> bool:
        """Whether another node takes tasks."""
        return any(node.takes_tasks for node in self.manager.nodes if node.id != self.node_id)

    def drain(self, console: Console, name: str) -> None:
        """Have a node's tasks go to others, and wait until they have. Raises MachineError."""
        with console.step(draining_title(name)):
            before = self._through(console, lambda there: swarm_api.starting(there.endpoint))
            self.make(console, DRAIN)
            gone = wait_until(console, lambda: self._is_empty(console, before), MOVED_WITHIN)
        if not gone:
            console.warn(f'Not all tasks of "{name}" run elsewhere after {MOVED_WITHIN:.0f} s; it goes on without them')

    def make(self, console: Console, availability: str) -> None:
        """Give the node an availability, by whichever manager answers. Raises MachineError."""
        self._through(console, lambda there: swarm_api.update(there.endpoint, self.node_id, Availability=availability))

    def _is_empty(self, console: Console, before: int) -> bool:
        def look(there: Manager) -> bool:
            return not swarm_api.tasks(there.endpoint, self.node_id) and swarm_api.starting(there.endpoint) <= before

        return self._through(console, look)

    def _through(self, console: Console, do: Callable[[Manager], Result]) -> Result:
        return call_manager(self.store, self.manager.cluster, do, last=self.manager.machine.name, pause=console.pause)

    @property
    def is_back(self) -> bool:
        """Return whether the manager hears of the node, and, if it is a manager, whether it is reachable."""
        node = self.manager.node(self.node_id)
        return bool(node and node.state == "ready" and node.reachability in {"", "reachable"})


def node_id_of(host: Facts) -> str:
    """The ID that a host's engine has as a node, as it says itself; "" for one that is none."""
    return str(host.info.get("SwarmNode") or "") if host.swarm else ""


def allow_swarm_restart(store: Store, machine: Machine, host: Facts, given: Allowed) -> Allowed:
    """What may be done on a host: its engine may restart, too, where it is a node that can be drained."""
    if not host.swarm or given.restart_swarm:
        return given
    return replace(given, restart_swarm=find_drain_manager(store, machine, node_id_of(host)) is not None)


def draining_title(name: str) -> str:
    return f'Draining "{name}": its tasks move to other nodes'


def drain_preview(store: Store, machine: Machine, host: Facts) -> str:
    """By whom a node would be drained, for --dry-run; "" where it would not."""
    way = find_drain_manager(store, machine, node_id_of(host))
    if way is None or way.availability == DRAIN:
        return ""
    return f'by "{way.manager.machine.name}"; {way.availability} again afterwards'


def find_drain_manager(store: Store, machine: Machine, node_id: str) -> DrainManager | None:
    """How a node is drained, by another manager where one answers; None where it cannot be, or leads nowhere."""
    way = find_manager_of_node(store, machine, node_id)
    return way if way and way.leads_anywhere else None


def find_manager_of_node(
    store: Store, machine: Machine, node_id: str, within: float | None = None
) -> DrainManager | None:
    """Return a manager that knows a node as this machine's: another machine if possible."""
    believed = TrustedSwarms(store)
    known = on_record(machine)
    is_known = known is not None and known.node == node_id and known.cluster
    for cluster in [known.cluster] if known and is_known else believed.clusters:
        found = find_answering_manager(believed.managers(cluster, last=machine.name), within)
        node = found.node(node_id) if isinstance(found, Manager) else None
        if isinstance(found, Manager) and node and believed.is_own(machine, found, node):
            return DrainManager(store, found, node_id)
    return None


@contextmanager
def drained_node(held: Held, console: Console, node_id: str) -> Iterator[None]:
    """Drain a machine's node, one of a swarm at a time, and restore its availability in the end; "" is no node's ID.

    A node that cannot be drained, or is drained already, is not changed, but machinectl waits for a manager before the
    next node's turn. A MachineError in between restores the availability here; after any other end the next run does.
    """
    way = find_manager_of_node(held.store, held.machine, node_id)
    if way is None:
        yield
        return
    with swarm_locked(held, console, recorded_node(held, way)):
        # Another one was at work, maybe for minutes, and whoever has just restarted may not be back yet.
        wait_until(console, lambda: manager_may_restart(held, node_id), VOTES_WITHIN)
        way = find_manager_of_node(held.store, held.machine, node_id)
        if way is None:
            raise MachineError(
                f'No manager of its swarm answers any more that could drain "{held.name}"',
                f"See: machinectl swarm status {held.name}",
            )
        if not keeps_quorum(way):
            raise quorum_lost(held.name, way)
        try:
            if way.leads_anywhere:
                drain_node(held, console, way)
            yield
        except MachineError:
            restore_availability(held, console)
            raise
        restore_availability(held, console)
        is_one_of_many = way.manages and way.manager.machine.name != held.name
        if is_one_of_many and not wait_until(console, lambda: is_node_back(held, node_id), BACK_WITHIN):
            console.warn(
                f'"{held.name}" does not manage its swarm again after {BACK_WITHIN:.0f} s\n'
                f"See: machinectl swarm status {held.name}"
            )


def manager_may_restart(held: Held, node_id: str) -> bool:
    way = find_manager_of_node(held.store, held.machine, node_id, 0)
    return way is not None and keeps_quorum(way)


def keeps_quorum(way: DrainManager) -> bool:
    """Whether the others can decide while a node restarts; where all are there and still cannot, nothing mends that."""
    quorum = Quorum.of(way.manager.nodes)
    node = way.manager.node(way.node_id)
    is_vote = node is not None and node.reachability == "reachable"
    return not is_vote or quorum.reachable == quorum.managers or quorum.spare > 0


def quorum_lost(name: str, way: DrainManager) -> MachineError:
    """Why a manager does not restart while another one is lost."""
    names = {known.node: machine.name for machine, known in on_records(way.store)}
    lost = [each for each in way.manager.managers if each.reachability != "reachable"]
    ours = [names[each.id] for each in lost if each.id in names]
    hint = f"See: machinectl swarm status {name}"
    if ours:
        forget = f"machinectl swarm leave --force {ours[0]}"
        hint = f"Find out why: machinectl doctor {ours[0]}; or have the others forget it: {forget}"
    return MachineError(
        f'While "{name}" restarts its swarm would have no quorum: '
        f"{', '.join(names.get(each.id) or each.hostname or each.id for each in lost)} cannot be reached",
        hint,
    )


def is_node_back(held: Held, node_id: str) -> bool:
    way = find_manager_of_node(held.store, held.machine, node_id, 0)
    return way is not None and way.is_back


def drain_node(held: Held, console: Console, way: DrainManager) -> None:
    """Drain a machine's node, and have on record first what it was. Raises MachineError."""
    node = recorded_node(held, way)
    if not node.before and way.availability == DRAIN:
        return
    node.before = node.before or way.availability
    save_node(held, node)
    way.drain(console, held.name)


def recorded_node(held: Held, way: DrainManager) -> SwarmNode:
    """A machine's node as its record has it, or as its manager does."""
    known = on_record(held.machine)
    if known and known.node == way.node_id:
        return known
    role = MANAGER if way.manages else WORKER
    return SwarmNode(way.manager.swarm, way.manager.cluster, way.node_id, role)


def restore_availability(held: Held, console: Console) -> None:
    """Give a node the availability that it had before, where its record has one; what keeps from that is a warning."""
    node = on_record(held.machine)
    if node is None or not node.before:
        return
    try:
        with console.step(f'Putting "{held.name}" back as it was in its swarm: {node.before}'):
            set_former_availability(held, console, node)
    except MachineError as exc:
        console.warn(f'"{held.name}" is still drained: {exc.cause}\nPut it back: machinectl provision {held.name}')
        return
    node.before = ""
    save_node(held, node)


def set_former_availability(held: Held, console: Console, node: SwarmNode) -> None:
    """Have a node as it was, when it is heard of again: a manager that restarts has to find a leader first."""
    wait_until(console, lambda: is_node_back(held, node.node), BACK_WITHIN)
    way = find_manager_of_node(held.store, held.machine, node.node)
    if way is None:
        raise MachineError("no manager of its swarm answers")
    way.make(console, node.before)


@contextmanager
def swarm_locked(held: Held, console: Console, node: SwarmNode) -> Iterator[None]:
    """No other machinectl with this store drains a node of the same swarm meanwhile: tasks need somewhere to go."""
    said = False

    def wait() -> None:
        nonlocal said
        if not said:
            console.note(f'"{held.name}" waits for another node of the swarm "{node.swarm}" to be back')
            said = True
        console.pause(LOCK_PAUSE)

    # No machine has a name that begins with a dot.
    # The ID is an engine's word, which is no path before it is encoded.
    lock = hashlib.sha256(node.cluster.encode()).hexdigest()
    with Lock(join(held.store.locks, f".swarm-{lock}"), wait):
        yield
