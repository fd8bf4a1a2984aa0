"""Which machines are nodes and managers of which swarm, decided from records and trusted managers.

An engine is trusted only with its own node ID: someone who controls a worker's host must not get nodes, services and
secrets because its engine claims to be a manager. A machine's record changes only by what another machine says that is
a manager by its record. The first manager of a swarm is where `swarm init` ran, or one that the user named.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from machinectl import url as engine_url
from machinectl.engine import swarm_api
from machinectl.engine.endpoint import EngineError
from machinectl.errors import MachineError
from machinectl.hosts.swarm import managers
from machinectl.hosts.swarm.managers import PAUSE, Manager, find_answering_manager, no_manager_error
from machinectl.machines.swarm_members import named, on_records
from machinectl.machines.swarm_node import (
    FORGOTTEN,
    JOINING,
    LEAVING,
    MANAGER,
    MEMBER,
    ROLES,
    SwarmNode,
    on_record,
)
from machinectl.name_resolution import addresses_of
from machinectl.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from machinectl.engine.swarm_api import Membership, Node
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store

Result = TypeVar("Result")


class TrustedSwarms:
    """The swarms in the records of a store, and what recorded managers say about them. Each manager is asked once."""

    def __init__(self, store: Store, pause: Callable[[float], None] | None = None) -> None:
        self._pause = pause
        self._machines = {machine.name: (machine, node) for machine, node in on_records(store)}
        self._found: dict[tuple[str, str], Manager | str] = {}

    @property
    def clusters(self) -> list[str]:
        """The IDs of the swarms that have a manager among the store's machines."""
        return list(dict.fromkeys(node.cluster for _, node in self._machines.values() if node.manages and node.cluster))

    def name_of(self, cluster: str, new: str) -> str:
        """Return the recorded name of a swarm, `new` if there is none."""
        known = (node.swarm for _, node in self._machines.values() if node.cluster == cluster and node.swarm)
        return next(known, new)

    def machines_of(self, cluster: str) -> set[str]:
        """Return the names of the machines that are nodes of a swarm."""
        return {name for name, (_, node) in self._machines.items() if node.cluster == cluster}

    def managers(self, cluster: str, last: str = "") -> list[tuple[Machine, str]]:
        """Return the managers of a swarm with their nodes' IDs: first the one with its name, `last` at the end."""
        known = [(machine, node) for machine, node in self._machines.values() if cluster == node.cluster and cluster]
        known.sort(key=lambda each: (each[0].name == last, each[0].name != each[1].swarm))
        return [(machine, node.node) for machine, node in known if node.manages]

    def answering_manager(self, cluster: str) -> Manager | str:
        """Return a manager of a swarm that answers, else why none does. Waits for an election to end."""
        return self._asked(cluster, "", None)

    def other_answering_manager(self, name: str, cluster: str) -> Manager | str:
        """Return a manager that can speak for a machine: another one, or itself if it is the only manager."""
        found = self.answering_manager(cluster)
        if isinstance(found, str) or found.machine.name != name or not self.has_others(name, cluster):
            return found
        return self._asked(cluster, name, 0)

    def _asked(self, cluster: str, besides: str, within: float | None) -> Manager | str:
        if (cluster, besides) not in self._found:
            candidates = [each for each in self.managers(cluster) if each[0].name != besides]
            self._found[cluster, besides] = find_answering_manager(candidates, within, self._pause)
        return self._found[cluster, besides]

    def is_node_of(self, machine: Machine, by: Manager, node: Node, *, as_manager: bool = False) -> bool:
        """Return whether a listed node really is the machine whose engine claims its ID.

        The engine may claim any ID. So a node that is recorded for another machine is refused. A manager is accepted if
        it was recorded before, if the user says so, or if its address is the machine's. If the machine's recorded node
        is still listed, another node is accepted only at the address of the recorded one or of the machine.
        """
        cluster = by.cluster
        _, known = self._machines.get(machine.name, (None, None))
        if known and known.node == node.id and known.cluster in {"", cluster}:
            return True
        if any((each.cluster, each.node) == (cluster, node.id) for _, each in self._machines.values()):
            return False
        is_to_be = known is not None and (known.membership, known.role) == (JOINING, MANAGER)
        reached_at = addresses_of(engine_url.parse(machine.url).host)
        before = by.node(known.node) if known else None
        if before and node.address not in {before.address, swarm_api.host_of(before.manages_at), *reached_at}:
            return False
        return not node.manages or as_manager or is_to_be or swarm_api.host_of(node.manages_at) in reached_at

    def node_to_record(
        self, machine: Machine, found: Membership | None, *, is_named: bool = False, as_manager: bool = False
    ) -> SwarmNode | None:
        """Return what to record about a machine as a node; `found` is its engine's answer, None if there is none.

        `is_named`: the user named the machine, so that it is trusted about a swarm unknown here; `as_manager`: the user
        named it as a manager.
        """
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
                return SwarmNode(known.swarm, cluster, node_id, known.role, membership=FORGOTTEN)
        is_new = found is not None and found.manages and found.cluster and found.cluster not in self.clusters
        if found and is_new and (is_first_manager(known, found) if known else is_named or as_manager):
            return SwarmNode(self.name_of(found.cluster, machine.name), found.cluster, found.node, MANAGER)
        return known

    def _clusters_of(self, known: SwarmNode | None, said: str) -> list[str]:
        """Return the swarms that a node may belong to, the recorded one first; only `said`, if the engine names one."""
        there = sorted(self.clusters, key=lambda cluster: known is None or cluster != known.cluster)
        return [cluster for cluster in there if said in {"", cluster}]

    def _out(self, name: str, known: SwarmNode | None) -> SwarmNode | None:
        """Return what to record about a machine whose engine says that it is in no swarm.

        Its node stays on record as long as its managers list it.
        """
        if known is None or known.membership == JOINING or not self.has_others(name, known.cluster):
            return None
        manager = self.other_answering_manager(name, known.cluster)
        if isinstance(manager, Manager) and manager.node(known.node) is None:
            return None
        return SwarmNode(known.swarm, known.cluster, known.node, known.role, membership=LEAVING)

    def has_others(self, name: str, cluster: str) -> bool:
        """Return whether another machine manages the swarm."""
        return any(machine.name != name for machine, _ in self.managers(cluster))

    def _listed(self, known: SwarmNode | None, cluster: str, manager: Manager, node: Node) -> SwarmNode:
        """Return a machine's node as a manager lists it; one that was leaving still is."""
        called = self.name_of(cluster, manager.swarm)
        if known is None or known.node != node.id:
            return SwarmNode(called, cluster, node.id, node.role)
        membership = known.membership if known.membership in {LEAVING, FORGOTTEN} else MEMBER
        return SwarmNode(known.swarm or called, cluster, node.id, node.role, known.before, membership)


def is_first_manager(known: SwarmNode, found: Membership) -> bool:
    """Return whether a machine ran `swarm init` here, or is recorded as manager of a swarm whose ID is not."""
    if known.cluster:
        return False
    return known.membership == JOINING or (known.manages and known.node == found.node)


def update_recorded_node(held: Held, found: Membership, *, as_manager: bool = False) -> SwarmNode | None:
    """Update a machine's recorded node from its engine's answer; return the node."""
    save_node(held, TrustedSwarms(held.store).node_to_record(held.machine, found, as_manager=as_manager))
    return on_record(held.machine)


def save_node(held: Held, node: SwarmNode | None) -> None:
    """Record a machine's node, or None if it is not a node."""
    data = node.dump() if node else {}
    if held.machine.swarm != data:
        held.machine.swarm = data
        held.write()


def find_manager(store: Store, name: str) -> Manager:
    """Return a manager that answers, of the swarm called `name`, or of the machine's swarm: that machine if possible.

    Raises MachineError if there is none.
    """
    there = named(store, name)
    candidates = [(machine, node.node) for machine, node in there if node.manages]
    found = find_answering_manager(candidates)
    if isinstance(found, Manager):
        return found
    raise no_manager_error(there[0][1].swarm or name, [machine.name for machine, _ in candidates], found)


def machines_needed_for_quorum(store: Store, names: Collection[str]) -> dict[str, MachineError]:
    """Return the machines that must not be removed, and why: too few managers of their swarm would remain here.

    A swarm may be removed with all of its machines.
    """
    swarms = TrustedSwarms(store)
    found: dict[str, MachineError] = {}
    for cluster in swarms.clusters:
        known = {machine.name: machine for machine, _ in swarms.managers(cluster)}
        goes = [name for name in known if name in names]
        if not goes or swarms.machines_of(cluster).issubset(names):
            continue
        answer = swarms.answering_manager(cluster)
        count = len(answer.managers) if isinstance(answer, Manager) else len(known)
        left = len(known) - len(goes)
        if left >= count // 2 + 1:
            continue
        them = " ".join(goes)
        called = swarms.name_of(cluster, cluster)
        why = (
            f'Without {them} no more than {left} of the {count} managers of the swarm "{called}" would be known here, '
            "which is no quorum"
        )
        hint = f"Make them leave it first: machinectl swarm leave {them}; or remove them anyway: machinectl rm {them}"
        found |= {name: MachineError(why, hint) for name in goes}
    return found


def call_manager(
    store: Store,
    cluster: str,
    do: Callable[[Manager], Result],
    *,
    last: str = "",
    pause: Callable[[float], None],
) -> Result:
    """Call `do` with a manager of a swarm, and with another one if that fails. `do` must be safe to repeat.

    Waits for an election to end. Raises MachineError.
    """
    end = time.monotonic() + managers.ELECTION

    def call_any() -> Result:
        swarms = TrustedSwarms(store)
        candidates = swarms.managers(cluster, last)
        found = find_answering_manager(candidates, end - time.monotonic(), pause)
        if isinstance(found, Manager):
            return do(found)
        asked = [machine.name for machine, _ in candidates]
        raise no_manager_error(swarms.name_of(cluster, cluster), asked, found)

    return retry_during_election(call_any, pause, EngineError)


def retry_during_election(
    do: Callable[[], Result],
    pause: Callable[[float], None],
    retried: type[EngineError] = swarm_api.Refusal,
) -> Result:
    """Call `do` again after errors of the type `retried` that an election explains. Raises MachineError."""
    end = time.monotonic() + managers.ELECTION
    while True:
        try:
            return do()
        except retried as exc:
            if not is_temporary_failure(exc) or time.monotonic() >= end:
                raise
        pause(PAUSE)


def is_temporary_failure(why: EngineError) -> bool:
    """Return whether a manager failed for reasons that pass, such as an election."""
    if isinstance(why, swarm_api.Refusal):
        return swarm_api.is_electing(why.cause)
    return why.state in {State.TIMEOUT, State.STOPPED}
