"""Drain a Swarm node before its engine restarts, and restore its availability.

The availability is recorded first, so that the next run can restore it.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from os.path import join
from typing import TYPE_CHECKING, TypeVar

from machinectl.engine import swarm_api
from machinectl.errors import Hint, MachineError
from machinectl.machines.machine_driver import endpoint_of
from machinectl.machines.record import Phase
from machinectl.machines.selection import waiting_with_note
from machinectl.machines.store.store_paths import Lock
from machinectl.machines.swarm_node import AVAILABILITIES, MANAGER, WORKER, SwarmNode, on_record, on_records
from machinectl.quantities import first_names
from machinectl.swarm_nodes import managers
from machinectl.swarm_nodes.managers import Manager, Quorum, find_answering_manager, wait_until
from machinectl.swarm_nodes.membership import TrustedSwarms, call_manager, save_node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from machinectl.console import Console
    from machinectl.engine.swarm_api import Node
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store
    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.target import Allowed

Result = TypeVar("Result")

ACTIVE, DRAIN, REACHABLE = "active", "drain", "reachable"
# Seconds for tasks to move: other nodes may have to pull images.
MOVED_WITHIN = 120.0
# Seconds to wait for a lost manager before another one restarts.
VOTES_WITHIN = 60.0
# Seconds until a new leader reaches a manager that was off before: gRPC tries again after up to 120, and a fifth more.
RECONNECTED_WITHIN = 150.0
# Seconds for a node to rejoin after its engine restarts.
BACK_WITHIN = 60.0


@dataclass(frozen=True)
class DrainManager:
    """A manager that lists the node to drain."""

    store: Store
    manager: Manager
    node: Node

    @property
    def has_other_nodes(self) -> bool:
        return any(node.takes_tasks for node in self._others)

    @property
    def awaits_nodes(self) -> bool:
        """Whether the leader is new, and no other node has reported to it yet (swarmkit, manager/dispatcher)."""
        return not self.has_other_nodes and any(node.state == "unknown" for node in self._others)

    @property
    def _others(self) -> list[Node]:
        return [node for node in self.manager.nodes if node.id != self.node.id]

    @property
    def lost_managers(self) -> list[Node]:
        return [node for node in self.manager.nodes if node.manages and node.reachability != REACHABLE]

    @property
    def keeps_quorum(self) -> bool:
        """Whether the other managers keep a quorum, or waiting cannot help."""
        quorum = Quorum.of(self.manager.nodes)
        return self.node.reachability != REACHABLE or quorum.reachable == quorum.managers or quorum.spare > 0

    def drain(self, console: Console, name: str) -> None:
        """Drain the node, and wait until its tasks have moved."""
        with console.step(draining_title(name)):
            before = self._call_manager(console, lambda there: swarm_api.count_starting(there.endpoint))

            def is_empty(there: Manager) -> bool:
                return (
                    not swarm_api.count_tasks(there.endpoint, self.node.id)
                    and swarm_api.count_starting(there.endpoint) <= before
                )

            self.set_availability(console, DRAIN)
            gone = wait_until(console, lambda: self._call_manager(console, is_empty), MOVED_WITHIN)
        if not gone:
            console.warn(f'Not all tasks of "{name}" run elsewhere after {MOVED_WITHIN:.0f} s; continuing without them')

    def set_availability(self, console: Console, availability: str) -> None:
        """Set it through any manager that answers."""
        self._call_manager(
            console, lambda there: swarm_api.update_node(there.endpoint, self.node.id, Availability=availability)
        )

    def _call_manager(self, console: Console, do: Callable[[Manager], Result]) -> Result:
        return call_manager(self.store, self.manager.cluster, do, last=self.manager.machine.name, pause=console.pause)


def node_id_of(machine: Machine, host: Facts) -> str:
    """Return the node's ID; while an engine starts its node again, it says none: then the recorded one."""
    known = on_record(machine)
    return str(host.info.get("SwarmNode") or (known.node if known else "")) if host.swarm else ""


def allow_swarm_restart(store: Store, console: Console, machine: Machine, host: Facts, given: Allowed) -> Allowed:
    """Allow a node's engine to restart if it can be drained.

    Only the user can vouch for a swarm that was made by hand, and unlock one that a restart locks.
    """
    if not host.swarm or given.restart_swarm or host.info.get("SwarmAutolock"):
        return given
    node_id, recorded = node_id_of(machine, host), on_record(machine)
    drainer = find_manager_of_node(store, console, machine, node_id)
    if drainer is None and (recorded is None or recorded.node != node_id):
        hint = Hint("machinectl does not know its swarm")
        # A machine that is new is forgotten if its host is refused.
        if machine.phase is Phase.READY or machine.changes:
            hint |= Hint("Name a manager of it", "machinectl swarm status", "<MANAGER>")
        return replace(given, undrained=hint | Hint("or restart the engine without draining: --restart-swarm"))
    return replace(given, restart_swarm=drainer is not None and drainer.has_other_nodes)


def draining_title(name: str) -> str:
    return f'Draining "{name}": its tasks move to other nodes'


def is_to_be_drained(store: Store, console: Console, machine: Machine, host: Facts) -> bool:
    drainer = find_manager_of_node(store, console, machine, node_id_of(machine, host)) if host.swarm else None
    return drainer is not None and drainer.has_other_nodes and drainer.node.availability != DRAIN


def find_manager_of_node(
    store: Store, console: Console, machine: Machine, node_id: str, within: float | None = None
) -> DrainManager | None:
    """Return a manager that lists a node as this machine's, preferably another machine.

    After an election, wait `within` seconds (ELECTION) for the leader, and as long for other nodes.
    """
    end = time.monotonic() + (managers.ELECTION if within is None else within)
    known = on_record(machine)
    while True:
        drainer, swarms = None, TrustedSwarms(store)
        is_known = known is not None and known.node == node_id and known.cluster
        for cluster in [known.cluster] if known and is_known else swarms.clusters:
            manager = find_answering_manager(swarms.managers(cluster, last=machine.name), within, console.pause)
            node = manager.node(node_id) if isinstance(manager, Manager) else None
            if isinstance(manager, Manager) and node and swarms.is_node_of(machine, manager, node):
                drainer = DrainManager(store, manager, node)
                break
        if drainer is None or not drainer.awaits_nodes or time.monotonic() >= end:
            return drainer
        console.pause(managers.PAUSE)


@contextmanager
def drained_node(held: Held, console: Console, node_id: str) -> Iterator[None]:
    """Drain a node during the body, one per swarm at a time. Raises MachineError.

    A node that cannot be drained, or already is, stays unchanged. After exceptions other than MachineError, the
    next run restores the availability.
    """
    drainer = find_manager_of_node(held.store, console, held.machine, node_id)
    if drainer is None:
        yield
        return
    with swarm_locked(held, console, recorded_node(held, drainer)):
        drainer = wait_for_quorum(held, console, node_id)
        try:
            if drainer.has_other_nodes:
                drain_node(held, console, drainer)
            yield
        except MachineError:
            restore_availability(held, console)
            raise
        restore_availability(held, console)
        if drainer.node.manages and drainer.manager.machine.name != held.name:
            title = f'Waiting until "{held.name}" manages its swarm again'
            if not wait_until(console, lambda: is_node_back(held, console, node_id), BACK_WITHIN, title):
                console.warn(
                    f'"{held.name}" does not manage its swarm again after {BACK_WITHIN:.0f} s',
                    Hint("See", "machinectl swarm status", held.name),
                )


def wait_for_quorum(held: Held, console: Console, node_id: str) -> DrainManager:
    """Return a manager to drain a node, once the others have a quorum without it. Raises MachineError.

    The node that was drained before may not be back yet. A manager may be back while a new leader does not reach it.
    """
    drainer: DrainManager | None = None

    def is_safe() -> bool:
        nonlocal drainer
        drainer = find_manager_of_node(held.store, console, held.machine, node_id, 0)
        return drainer is not None and drainer.keeps_quorum

    title = f'Waiting until the swarm has a quorum without "{held.name}"'
    is_whole = wait_until(console, is_safe, VOTES_WITHIN, title)
    lost = {node.id for node in drainer.lost_managers} if drainer else set()
    if not is_whole and any(is_up(machine) for machine, known in on_records(held.store) if known.node in lost):
        is_whole = wait_until(console, is_safe, RECONNECTED_WITHIN, title)
    if drainer is None or (is_whole and drainer.awaits_nodes):
        drainer = require_manager_of_node(held, console, node_id)
    if drainer.keeps_quorum:
        return drainer
    names = {known.node: machine.name for machine, known in on_records(drainer.store)}
    shown = first_names([names.get(node.id) or node.hostname or node.id for node in drainer.lost_managers])
    raise MachineError(
        f'While "{held.name}" restarts, its swarm would have no quorum: {shown} cannot be reached',
        Hint("Wait until its swarm has them back", "machinectl swarm status", held.name),
    )


def is_up(machine: Machine) -> bool:
    """Return whether an engine calls itself a manager: enough to wait for it, not to believe it."""
    try:
        return swarm_api.membership(endpoint_of(machine)).manages
    except MachineError:
        return False


def require_manager_of_node(held: Held, console: Console, node_id: str) -> DrainManager:
    if drainer := find_manager_of_node(held.store, console, held.machine, node_id):
        return drainer
    raise MachineError(
        f'No manager of the swarm of "{held.name}" answers', Hint("See", "machinectl swarm status", held.name)
    )


def is_node_back(held: Held, console: Console, node_id: str) -> bool:
    drainer = find_manager_of_node(held.store, console, held.machine, node_id, 0)
    return drainer is not None and (drainer.node.state, drainer.node.reachability or REACHABLE) == ("ready", REACHABLE)


def drain_node(held: Held, console: Console, drainer: DrainManager) -> None:
    """Drain a node after recording its availability."""
    node = recorded_node(held, drainer)
    if not node.before and drainer.node.availability == DRAIN:
        return
    listed = drainer.node.availability
    node.before = node.before or (listed if listed in AVAILABILITIES else ACTIVE)
    save_node(held, node)
    drainer.drain(console, held.name)


def recorded_node(held: Held, drainer: DrainManager) -> SwarmNode:
    """Return the recorded node, else the listed one."""
    known = on_record(held.machine)
    if known and known.node == drainer.node.id:
        return known
    role = MANAGER if drainer.node.manages else WORKER
    return SwarmNode(drainer.manager.swarm, drainer.manager.cluster, drainer.node.id, role)


def restore_availability(held: Held, console: Console) -> None:
    """Restore the recorded availability. A failure is a warning."""
    node = on_record(held.machine)
    if node is None or not node.before:
        return
    try:
        with console.step(f'Restoring the availability of "{held.name}" in its swarm: {node.before}'):
            # A restarted manager must find a leader first.
            wait_until(console, lambda: is_node_back(held, console, node.node), BACK_WITHIN)
            require_manager_of_node(held, console, node.node).set_availability(console, node.before)
    except MachineError as exc:
        restore = Hint("Restore it", "machinectl provision", held.name)
        console.warn(f'"{held.name}" is still drained: {exc.cause}', restore)
        return
    node.before = ""
    save_node(held, node)


@contextmanager
def swarm_locked(held: Held, console: Console, node: SwarmNode) -> Iterator[None]:
    """Lock a swarm in this store: a drained node's tasks need other nodes."""
    note = f'"{held.name}" waits for another node of the swarm "{node.swarm}" to be back'
    # No machine's name begins with a dot. Hash the ID: it comes from an engine, and is part of a path.
    lock = hashlib.sha256(node.cluster.encode()).hexdigest()
    with Lock(join(held.store.locks, f".swarm-{lock}"), waiting_with_note(console, lambda: note)):
        yield
