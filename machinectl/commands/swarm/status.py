"""`swarm status`: the nodes of swarms, as a manager among the machines tells, and what is lost if one more goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from machinectl.engine.swarm import INFO, Membership, Node
from machinectl.errors import MachineError
from machinectl.hosts.asked import Asked, ask, listed
from machinectl.hosts.pending import Busy, busy
from machinectl.hosts.swarm import Manager, Quorum, answering, learn, no_manager
from machinectl.machines.swarm_node import node_of
from machinectl.machines.swarms import all_nodes
from machinectl.state import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store
    from machinectl.machines.swarm_node import SwarmNode


@dataclass(frozen=True)
class Row:
    """A node, and the machine that it is, where it is one of ours."""

    node: Node
    machine: str = ""
    # What it is to be given back, where it is drained for a restart that was broken off.
    before: str = ""

    def fields(self) -> dict[str, Any]:
        """The row as JSON holds it; `Machine` is null for a node that is no machine here."""
        node = self.node
        return {
            "ID": node.id,
            "Hostname": node.hostname,
            "Machine": self.machine or None,
            "Role": node.role,
            "Leader": node.leads,
            "Reachability": node.reachability or None,
            "Status": node.state,
            "Availability": node.availability,
            "Address": node.address,
            "EngineVersion": node.engine,
        }

    def cells(self) -> list[str]:
        """The row as a table shows it."""
        node = self.node
        role = "leader" if node.leads else node.role
        if node.reachability not in {"", "reachable"}:
            role += f" ({node.reachability})"
        availability = f"{node.availability} (to be {self.before})" if self.before else node.availability
        known = [self.machine or "-", node.hostname, role, node.state, availability, node.address, node.engine]
        return [cell or "-" for cell in known]


@dataclass(frozen=True)
class Swarm:
    """A swarm: by whom it was told of, and its nodes; where no manager answers, why, and what the records know."""

    name: str
    cluster: str
    rows: tuple[Row, ...]
    asked: str = ""
    failure: MachineError | None = None

    @property
    def quorum(self) -> Quorum:
        return Quorum.of(row.node for row in self.rows)

    @property
    def leader(self) -> str:
        return next((row.machine or row.node.hostname for row in self.rows if row.node.leads), "")

    def fields(self) -> dict[str, Any]:
        quorum = self.quorum
        return {
            "Name": self.name,
            "ID": self.cluster,
            "AskedMachine": self.asked or None,
            "Leader": self.leader or None,
            "Managers": quorum.managers,
            "ReachableManagers": quorum.reachable,
            "Quorum": quorum.needed,
            "ManagersToSpare": quorum.spare if self.asked else None,
            "Error": self.failure.cause if self.failure else None,
            "Nodes": [row.fields() for row in self.rows],
        }

    def heading(self) -> str:
        quorum = self.quorum
        workers = len(self.rows) - quorum.managers
        counts = f"{number(quorum.managers, 'manager')}, {number(workers, 'worker')}"
        if quorum.reachable < quorum.managers:
            counts += f"; {number(quorum.managers - quorum.reachable, 'manager')} cannot be reached"
        return f"Swarm {self.name or self.cluster}: {counts}"


def number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def swarm_status(store: Store, names: Sequence[str], timeout: float) -> list[Swarm]:
    """The swarms of the machines named, or of all; `timeout` is in seconds, for all engines at once.

    What engines say of themselves is on record from now on. Raises MachineError for a machine that is in no swarm.
    """
    wanted = meant(store, names)
    asked, failures = listed(store, wanted, Asked)
    if failures:
        raise failures[0]
    for _ in ask(store, asked, timeout, INFO):
        pass
    states = {one.machine.name: (one.machine, Membership.of(one.told)) for one in asked if one.state is State.RUNNING}
    # Managers first, by name: a swarm that nobody here has seen yet is called as its first one is.
    for machine, state in sorted(states.values(), key=lambda each: not each[1].manages):
        note(store, machine, state)
    clusters: dict[str, list[tuple[Machine, SwarmNode]]] = {}
    for machine, node in all_nodes(store):
        if machine.name in wanted:
            clusters.setdefault(node.cluster or node.node, []).append((machine, node))
    there = {name for known in clusters.values() for machine, node in known for name in (machine.name, node.swarm)}
    for name in names:
        if name not in there:
            raise next((one.failure for one in asked if one.machine.name == name and one.failure), in_none(name))
    return [seen(known) for known in clusters.values()]


def in_none(name: str) -> MachineError:
    return MachineError(
        f'"{name}" is in no swarm',
        f"Have it begin one: machinectl swarm init {name}; or join one: machinectl swarm join <MANAGER> {name}",
    )


def meant(store: Store, names: Sequence[str]) -> list[str]:
    """The machines that are to be asked: all, or those named and those of the same swarm by their records."""
    if not names:
        return store.names()
    there = all_nodes(store)
    swarms = {node.swarm for _, node in there}
    for name in names:
        if name not in swarms:
            store.check_exists(name)
    clusters = {node.cluster for machine, node in there if {machine.name, node.swarm} & set(names)} - {""}
    same = [machine.name for machine, node in there if node.cluster in clusters]
    return list(dict.fromkeys([*(name for name in names if store.exists(name)), *same]))


def note(store: Store, machine: Machine, found: Membership) -> None:
    """Have on record what an engine says of itself; a machine that somebody is at work on learns it from them."""
    before = node_of(machine)
    if before is None and not found.is_in:
        return
    if before and before.swarm and before.cluster and (before.node, before.role) == (found.node, found.role):
        return
    try:
        with store.writing(machine.name, busy) as held:
            learn(held, found, store)
    except (Busy, MachineError):
        return


def seen(known: Sequence[tuple[Machine, SwarmNode]]) -> Swarm:
    """A swarm as its managers among the machines know it."""
    name, cluster = known[0][1].swarm, known[0][1].cluster
    candidates = [(machine, node.node) for machine, node in known if node.manages]
    found = answering(candidates)
    if isinstance(found, Manager):
        return Swarm(name, cluster, tuple(rows(found.nodes, known)), found.machine.name)
    failure = no_manager(name, [machine.name for machine, _ in candidates], found)
    return Swarm(name, cluster, tuple(remembered(known)), failure=failure)


def rows(nodes: Iterable[Node], known: Sequence[tuple[Machine, SwarmNode]]) -> list[Row]:
    """Nodes with their machines: managers first, each by name."""
    ours = {node.node: (machine.name, node.before) for machine, node in known}
    found = [Row(node, *ours.get(node.id, ("", ""))) for node in nodes]
    return sorted(found, key=lambda row: (not row.node.manages, row.machine or row.node.hostname))


def remembered(known: Sequence[tuple[Machine, SwarmNode]]) -> list[Row]:
    """What the records say of nodes where no manager does."""
    nodes = [Node(node.node, "", node.role, "", "unknown") for _, node in known]
    return rows(nodes, known)
