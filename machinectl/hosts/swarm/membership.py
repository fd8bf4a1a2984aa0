"""What is believed of swarms: who manages one, and what machine is which of its nodes.

An engine is not believed what it says of itself but which node it is: whoever has a worker's host must not get nodes,
services and secrets by having its engine call itself a manager. A machine's record is changed by what another machine
says that is a manager by its record. The first one of a swarm is where `swarm init` was run, or that a person named.
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
    """What the records of a store and the managers on record say of swarms; each manager is asked once."""

    def __init__(self, store: Store, pause: Callable[[float], None] | None = None) -> None:
        self._pause = pause
        self._machines = {machine.name: (machine, node) for machine, node in on_records(store)}
        self._found: dict[tuple[str, str], Manager | str] = {}

    @property
    def clusters(self) -> list[str]:
        """The IDs of the swarms that have a manager among the machines."""
        return list(dict.fromkeys(node.cluster for _, node in self._machines.values() if node.manages and node.cluster))

    def name_of(self, cluster: str, new: str) -> str:
        """Return the name of a swarm here, `new` if it is not known."""
        known = (node.swarm for _, node in self._machines.values() if node.cluster == cluster and node.swarm)
        return next(known, new)

    def machines_of(self, cluster: str) -> set[str]:
        """The names of the machines that are nodes of a swarm."""
        return {name for name, (_, node) in self._machines.items() if node.cluster == cluster}

    def managers(self, cluster: str, last: str = "") -> list[tuple[Machine, str]]:
        """Return the managers of a swarm with their nodes' IDs: first the one with its name, `last` at the end."""
        known = [(machine, node) for machine, node in self._machines.values() if cluster == node.cluster and cluster]
        known.sort(key=lambda each: (each[0].name == last, each[0].name != each[1].swarm))
        return [(machine, node.node) for machine, node in known if node.manages]

    def of_all(self, cluster: str) -> Manager | str:
        """Return a manager of a swarm that answers, else why none does. Waits for an election to end."""
        return self._asked(cluster, "", None)

    def of_others(self, name: str, cluster: str) -> Manager | str:
        """Return a manager that can speak for a machine: another one, or itself if it is the only manager."""
        found = self.of_all(cluster)
        if isinstance(found, str) or found.machine.name != name or not self.has_others(name, cluster):
            return found
        return self._asked(cluster, name, 0)

    def _asked(self, cluster: str, besides: str, within: float | None) -> Manager | str:
        if (cluster, besides) not in self._found:
            candidates = [each for each in self.managers(cluster) if each[0].name != besides]
            self._found[cluster, besides] = find_answering_manager(candidates, within, self._pause)
        return self._found[cluster, besides]

    def is_own(self, machine: Machine, by: Manager, node: Node, *, as_manager: bool = False) -> bool:
        """Whether a swarm's node, which a manager lists, is a machine's, whose engine says so.

        It may say the ID of any node. So one that is on record elsewhere is not its, and a manager is it where it was
        before, where a person says so, or where the managers reach it. A machine whose node on record is listed still
        is another one only where they reach that one, or the machine.
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

    def judged(
        self, machine: Machine, found: Membership | None, *, is_named: bool = False, as_manager: bool = False
    ) -> SwarmNode | None:
        """What a machine's record is to say of it as a node; `found` is what its engine says, None where it does not.

        `is_named` is where a person has named it, so that it is believed of a swarm that nobody here knows;
        `as_manager` where it was named as a manager.
        """
        known = on_record(machine)
        if found and found.is_out:
            return self._out(machine.name, known)
        node_id = found.node if found and found.is_in else known.node if known and not (found and found.state) else ""
        if not node_id:
            return known
        for cluster in self._clusters_of(known, found.cluster if found else ""):
            manager = self.of_others(machine.name, cluster)
            if not isinstance(manager, Manager):
                continue
            listed = manager.node(node_id)
            if listed and listed.role in ROLES:
                is_own = self.is_own(machine, manager, listed, as_manager=as_manager)
                return self._listed(known, cluster, manager, listed) if is_own else known
            if found and known and (known.cluster, known.node, known.membership) == (cluster, node_id, MEMBER):
                return SwarmNode(known.swarm, cluster, node_id, known.role, membership=FORGOTTEN)
        is_new = found is not None and found.manages and found.cluster and found.cluster not in self.clusters
        if found and is_new and (is_first_manager(known, found) if known else is_named or as_manager):
            return SwarmNode(self.name_of(found.cluster, machine.name), found.cluster, found.node, MANAGER)
        return known

    def _clusters_of(self, known: SwarmNode | None, said: str) -> list[str]:
        """The swarms whose managers may know a node: that on record first, and none but the one that it names."""
        there = sorted(self.clusters, key=lambda cluster: known is None or cluster != known.cluster)
        return [cluster for cluster in there if said in {"", cluster}]

    def _out(self, name: str, known: SwarmNode | None) -> SwarmNode | None:
        """What is to be on record of a machine whose engine says that it is in no swarm.

        A node that its managers list is on record until they do not.
        """
        if known is None or known.membership == JOINING or not self.has_others(name, known.cluster):
            return None
        manager = self.of_others(name, known.cluster)
        if isinstance(manager, Manager) and manager.node(known.node) is None:
            return None
        return SwarmNode(known.swarm, known.cluster, known.node, known.role, membership=LEAVING)

    def has_others(self, name: str, cluster: str) -> bool:
        """Whether another machine than this one is a swarm's manager."""
        return any(machine.name != name for machine, _ in self.managers(cluster))

    def _listed(self, known: SwarmNode | None, cluster: str, manager: Manager, node: Node) -> SwarmNode:
        """The node of a machine as a manager lists it; who was on its way out is so still."""
        called = self.name_of(cluster, manager.swarm)
        if known is None or known.node != node.id:
            return SwarmNode(called, cluster, node.id, node.role)
        membership = known.membership if known.membership in {LEAVING, FORGOTTEN} else MEMBER
        return SwarmNode(known.swarm or called, cluster, node.id, node.role, known.before, membership)


def is_first_manager(known: SwarmNode, found: Membership) -> bool:
    """Whether a machine on record was told to begin a swarm, or is its manager without the swarm's ID being known."""
    if known.cluster:
        return False
    return known.membership == JOINING or (known.manages and known.node == found.node)


def update_recorded_node(
    held: Held,
    found: Membership,
    *,
    is_named: bool = False,
    as_manager: bool = False,
    believed: TrustedSwarms | None = None,
) -> SwarmNode | None:
    """Have in a machine's record what its engine is as a node, now that it says which one; return that."""
    judge = believed or TrustedSwarms(held.store)
    save_node(held, judge.judged(held.machine, found, is_named=is_named, as_manager=as_manager))
    return on_record(held.machine)


def save_node(held: Held, node: SwarmNode | None) -> None:
    """Have a node in a machine's record, or that it is none."""
    data = node.dump() if node else {}
    if held.machine.swarm != data:
        held.machine.swarm = data
        held.write()


def find_manager(store: Store, name: str) -> Manager:
    """A manager that answers, of the swarm that a machine is in, or that has the name: that machine itself, if it does.

    Raises MachineError where there is none.
    """
    there = named(store, name)
    candidates = [(machine, node.node) for machine, node in there if node.manages]
    found = find_answering_manager(candidates)
    if isinstance(found, Manager):
        return found
    raise no_manager_error(there[0][1].swarm or name, [machine.name for machine, _ in candidates], found)


def machines_needed_for_quorum(store: Store, names: Collection[str]) -> dict[str, MachineError]:
    """Which machines must not be forgotten, and why: too few managers of their swarm would be known here.

    Of a swarm that goes with all of its machines, none is kept.
    """
    believed = TrustedSwarms(store)
    found: dict[str, MachineError] = {}
    for cluster in believed.clusters:
        known = {machine.name: machine for machine, _ in believed.managers(cluster)}
        goes = [name for name in known if name in names]
        if not goes or believed.machines_of(cluster).issubset(names):
            continue
        answer = believed.of_all(cluster)
        count = len(answer.managers) if isinstance(answer, Manager) else len(known)
        left = len(known) - len(goes)
        if left >= count // 2 + 1:
            continue
        them = " ".join(goes)
        called = believed.name_of(cluster, cluster)
        why = (
            f'Without {them} no more than {left} of the {count} managers of the swarm "{called}" would be known here, '
            "which is no quorum"
        )
        hint = f"Have them leave it first: machinectl swarm leave {them}; or all the same: machinectl rm {them}"
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
    """Have a manager of a swarm do something that may be done twice, and another one where it cannot.

    An election is waited out. Raises MachineError.
    """
    end = time.monotonic() + managers.ELECTION
    while True:
        believed = TrustedSwarms(store)
        candidates = believed.managers(cluster, last)
        found = find_answering_manager(candidates, end - time.monotonic(), pause)
        if not isinstance(found, Manager):
            asked = [machine.name for machine, _ in candidates]
            raise no_manager_error(believed.name_of(cluster, cluster), asked, found)
        try:
            return do(found)
        except EngineError as exc:
            if not is_temporary_failure(exc) or time.monotonic() >= end:
                raise
        pause(PAUSE)


def retry_during_election(do: Callable[[], Result], pause: Callable[[float], None]) -> Result:
    """Do what a manager refuses as long as its swarm elects a leader. Raises MachineError."""
    end = time.monotonic() + managers.ELECTION
    while True:
        try:
            return do()
        except swarm_api.Refusal as exc:
            if not is_temporary_failure(exc) or time.monotonic() >= end:
                raise
        pause(PAUSE)


def is_temporary_failure(why: EngineError) -> bool:
    """Whether a manager's failure says nothing against what it was to do."""
    if isinstance(why, swarm_api.Refusal):
        return swarm_api.is_electing(why.cause)
    return why.state in {State.TIMEOUT, State.STOPPED}
