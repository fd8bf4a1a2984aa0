"""Decide which machines are nodes of which swarm.

Trust an engine only about its own node ID: a worker's host must not get nodes or secrets by claiming to be a manager.
Change a record only by what another recorded manager lists. The first manager ran `swarm init`, or the user named it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from machinectl import url as engine_url
from machinectl.engine import swarm_api
from machinectl.engine.endpoint import EngineError
from machinectl.machines.swarm_node import (
    JOINING,
    LEAVING,
    MANAGER,
    MEMBER,
    ROLES,
    SwarmNode,
    on_record,
    on_records,
    swarm_nodes,
)
from machinectl.name_resolution import addresses_of
from machinectl.state import State
from machinectl.swarm_nodes import managers
from machinectl.swarm_nodes.managers import PAUSE, Manager, NoManager, find_answering_manager, require_answering_manager

if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.engine.swarm_api import Membership, Node
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store

Result = TypeVar("Result")


class TrustedSwarms:
    """The recorded swarms. Each manager is asked once."""

    def __init__(self, store: Store, pause: Callable[[float], None] | None = None) -> None:
        self._pause = pause
        self._machines = {machine.name: (machine, node) for machine, node in on_records(store)}
        self._found: dict[tuple[str, str], Manager | NoManager] = {}

    @property
    def clusters(self) -> list[str]:
        """The IDs of swarms with a recorded manager."""
        return list(dict.fromkeys(node.cluster for _, node in self._machines.values() if node.manages and node.cluster))

    def name_of(self, cluster: str, new: str) -> str:
        known = (node.swarm for _, node in self._machines.values() if node.cluster == cluster and node.swarm)
        return next(known, new)

    def machines_of(self, cluster: str) -> set[str]:
        return {name for name, (_, node) in self._machines.items() if node.cluster == cluster}

    def managers(self, cluster: str, last: str = "") -> list[Machine]:
        """Return the recorded managers: the swarm's namesake first, `last` at the end."""
        known = [(machine, node) for machine, node in self._machines.values() if cluster == node.cluster and cluster]
        known.sort(key=lambda each: (each[0].name == last, each[0].name != each[1].swarm))
        return [machine for machine, node in known if node.manages]

    def answering_manager(self, cluster: str) -> Manager | NoManager:
        """Return a manager that answers, else why none does. Waits for an election."""
        return self._asked(cluster, "", None)

    def other_answering_manager(self, name: str, cluster: str) -> Manager | NoManager:
        """Return another manager, or the machine itself if it is the only one."""
        found = self.answering_manager(cluster)
        if isinstance(found, NoManager) or found.machine.name != name or not self.has_others(name, cluster):
            return found
        return self._asked(cluster, name, 0)

    def _asked(self, cluster: str, besides: str, within: float | None) -> Manager | NoManager:
        if (cluster, besides) not in self._found:
            candidates = [each for each in self.managers(cluster) if each.name != besides]
            self._found[cluster, besides] = find_answering_manager(candidates, within, self._pause)
        return self._found[cluster, besides]

    def is_node_of(self, machine: Machine, by: Manager, node: Node, *, as_manager: bool = False) -> bool:
        """Return whether a listed node is the machine whose engine claims its ID.

        An engine may claim any ID. Refuse a node recorded for another machine. Accept a manager only if it is
        recorded, the user named it, or its address is the machine's. If the recorded node is still listed,
        accept another one only at that node's address or the machine's.
        """
        cluster = by.cluster
        _, known = self._machines.get(machine.name, (None, None))
        if known and known.node == node.id and known.cluster in {"", cluster}:
            return True
        if any((each.cluster, each.node) == (cluster, node.id) for _, each in self._machines.values()):
            return False
        is_to_be = known is not None and (known.membership, known.role) == (JOINING, MANAGER)
        reached_at = addresses_of(engine_url.parse_url(machine.url).host)
        before = by.node(known.node) if known else None
        if before and node.address not in {before.address, swarm_api.host_of(before.manages_at), *reached_at}:
            return False
        return not node.manages or as_manager or is_to_be or swarm_api.host_of(node.manages_at) in reached_at

    def node_to_record(
        self, machine: Machine, found: Membership | None, *, is_named: bool = False, as_manager: bool = False
    ) -> SwarmNode | None:
        """`is_named`, `as_manager`: the user named the machine (as a manager), so trust it about an unknown swarm."""
        known = on_record(machine)
        if found and found.is_out:
            return self._out(machine.name, known)
        node_id = found.node if found and found.is_in else known.node if known and not (found and found.state) else ""
        if not node_id:
            return known
        for cluster in self._clusters_of(known, found.cluster if found else ""):
            manager = self.other_answering_manager(machine.name, cluster)
            if not isinstance(manager, Manager):
                continue
            listed = manager.node(node_id)
            if listed and listed.role in ROLES:
                is_its = self.is_node_of(machine, manager, listed, as_manager=as_manager)
                return self._listed(known, cluster, manager, listed) if is_its else known
            if found and known and (known.cluster, known.node, known.membership) == (cluster, node_id, MEMBER):
                return SwarmNode(known.swarm, cluster, node_id, known.role, membership=LEAVING)
        is_new = found is not None and found.manages and found.cluster and found.cluster not in self.clusters
        if found and is_new and (is_first_manager(known, found) if known else is_named or as_manager):
            return SwarmNode(self.name_of(found.cluster, machine.name), found.cluster, found.node, MANAGER)
        return known

    def _clusters_of(self, known: SwarmNode | None, said: str) -> list[str]:
        """Return the swarms to check; only `said` if the engine names one."""
        there = sorted(self.clusters, key=lambda cluster: known is None or cluster != known.cluster)
        return [cluster for cluster in there if said in {"", cluster}]

    def _out(self, name: str, known: SwarmNode | None) -> SwarmNode | None:
        """Return the recorded node as long as managers list it."""
        if known is None or known.membership == JOINING or not self.has_others(name, known.cluster):
            return None
        manager = self.other_answering_manager(name, known.cluster)
        if isinstance(manager, Manager) and manager.node(known.node) is None:
            return None
        return SwarmNode(known.swarm, known.cluster, known.node, known.role, membership=LEAVING)

    def has_others(self, name: str, cluster: str) -> bool:
        return any(machine.name != name for machine in self.managers(cluster))

    def _listed(self, known: SwarmNode | None, cluster: str, manager: Manager, node: Node) -> SwarmNode:
        """Return the node as listed; LEAVING stays."""
        called = self.name_of(cluster, manager.swarm)
        if known is None or known.node != node.id:
            return SwarmNode(called, cluster, node.id, node.role)
        membership = LEAVING if known.membership == LEAVING else MEMBER
        return SwarmNode(known.swarm or called, cluster, node.id, node.role, known.before, membership)


def is_first_manager(known: SwarmNode, found: Membership) -> bool:
    """Return whether a machine began a swarm here, or manages one without a recorded ID."""
    if known.cluster:
        return False
    return known.membership == JOINING or (known.manages and known.node == found.node)


def update_recorded_node(held: Held, found: Membership, *, as_manager: bool = False) -> SwarmNode | None:
    """Update and return the recorded node from an engine's answer."""
    save_node(held, TrustedSwarms(held.store).node_to_record(held.machine, found, as_manager=as_manager))
    return on_record(held.machine)


def save_node(held: Held, node: SwarmNode | None) -> None:
    data = node.dump() if node else {}
    if held.machine.swarm != data:
        held.machine.swarm = data
        held.write()


def find_manager(store: Store, name: str) -> Manager:
    """Return a manager that answers, by the swarm's or a machine's name. Raises MachineError."""
    there = swarm_nodes(store, name)
    return require_answering_manager(there[0][1].swarm or name, [machine for machine, node in there if node.manages])


def call_manager(
    store: Store,
    cluster: str,
    do: Callable[[Manager], Result],
    *,
    last: str = "",
    pause: Callable[[float], None],
) -> Result:
    """Call `do`, maybe repeatedly, with managers until one succeeds. Waits for an election. Raises MachineError."""
    end = time.monotonic() + managers.ELECTION

    def call_any() -> Result:
        swarms = TrustedSwarms(store)
        swarm, candidates = swarms.name_of(cluster, cluster), swarms.managers(cluster, last)
        return do(require_answering_manager(swarm, candidates, end - time.monotonic(), pause))

    return retry_during_election(call_any, pause, EngineError)


def retry_during_election(
    do: Callable[[], Result],
    pause: Callable[[float], None],
    retried: type[EngineError] = swarm_api.Refusal,
) -> Result:
    """Call `do` again after errors that an election explains."""
    end = time.monotonic() + managers.ELECTION
    while True:
        try:
            return do()
        except retried as exc:
            is_refused = isinstance(exc, swarm_api.Refusal)
            again = swarm_api.is_electing(exc.said) if is_refused else exc.state in {State.TIMEOUT, State.STOPPED}
            if not again or time.monotonic() >= end:
                raise
        pause(PAUSE)
