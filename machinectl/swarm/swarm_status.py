"""`swarm status`: nodes, as their managers report them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from machinectl.engine.swarm_api import INFO, Membership, Node
from machinectl.errors import Hint, MachineError
from machinectl.hosts.identity import refuse_to_wait
from machinectl.hosts.query_engines import MachineStatus, query_engines, recorded_statuses
from machinectl.machines.swarm_node import MEMBER, on_record, on_records
from machinectl.quantities import plural
from machinectl.state import State
from machinectl.swarm_nodes.managers import Manager, Quorum, no_manager_error
from machinectl.swarm_nodes.membership import TrustedSwarms, save_node

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from machinectl.console import Console
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store
    from machinectl.machines.swarm_node import SwarmNode


def swarm_status(store: Store, console: Console, names: Sequence[str], timeout: float) -> list[SwarmReport]:
    """Record what trusted managers report.

    Trusts the manager of an unknown swarm only if it is named. `timeout` covers all engines. Raises MachineError for a
    machine in no swarm.
    """
    wanted = machines_to_query(store, names)
    asked, failures = recorded_statuses(store, wanted, MachineStatus)
    if failures:
        raise failures[0]
    for _ in query_engines(store, asked, timeout, INFO):
        pass
    said = {one.machine.name: Membership.of(one.told) for one in asked if one.state is State.RUNNING}
    believed = TrustedSwarms(store, console.pause)
    for machine in sorted((one.machine for one in asked), key=lambda machine: machine.name not in names):
        is_named = machine.name in names
        if record_report(store, console, believed, machine, said.get(machine.name), is_named=is_named):
            # New managers may know others.
            believed = TrustedSwarms(store, console.pause)
    clusters: dict[str, list[tuple[Machine, SwarmNode]]] = {}
    for machine, node in on_records(store):
        if machine.name in wanted:
            clusters.setdefault(node.cluster or node.node, []).append((machine, node))
    there = {name for known in clusters.values() for machine, node in known for name in (machine.name, node.swarm)}
    for name in names:
        if name not in there:
            failed = next((one.failure for one in asked if one.machine.name == name and one.failure), None)
            why = "is in no swarm"
            if name in said and said[name].is_in:
                why = "calls itself a node of a swarm, but no known manager confirms that"
            raise failed or MachineError(
                f'"{name}" {why}',
                Hint("Begin one", "machinectl swarm init", name)
                | Hint("or join one", "machinectl swarm join", "<MANAGER>", name),
            )
    return [swarm_report(believed, known) for known in clusters.values()]


def machines_to_query(store: Store, names: Sequence[str]) -> list[str]:
    """Return all machines, or the named ones and those in their swarms."""
    if not names:
        return store.names()
    there = on_records(store)
    swarms = {node.swarm for _, node in there}
    for name in names:
        if name not in swarms:
            store.check_exists(name)
    clusters = {node.cluster for machine, node in there if {machine.name, node.swarm} & set(names)} - {""}
    same = [machine.name for machine, node in there if node.cluster in clusters]
    return list(dict.fromkeys([*(name for name in names if store.exists(name)), *same]))


def record_report(
    store: Store,
    console: Console,
    believed: TrustedSwarms,
    machine: Machine,
    said: Membership | None,
    *,
    is_named: bool,
) -> bool:
    """Return whether the manager role changed. Skips locked machines."""
    node = believed.node_to_record(machine, said, is_named=is_named)
    if said and said.manages and (node is None or not node.manages):
        console.warn(
            f'"{machine.name}" calls itself a manager of a swarm, but no known manager confirms that',
            Hint("It is not treated as one. If it began its own swarm", "machinectl swarm status", machine.name),
        )
    if (node.dump() if node else {}) == machine.swarm:
        return False
    before = on_record(machine)
    with suppress(MachineError), store.writing(machine.name, refuse_to_wait) as held:
        # If the record has changed meanwhile, it is newer.
        if held.machine.swarm == machine.swarm:
            save_node(held, node)
    return bool(node and node.manages) != bool(before and before.manages)


@dataclass(frozen=True)
class NodeRow:
    node: Node
    machine: str = ""
    # The availability to restore after an interrupted restart.
    before: str = ""
    # Whether it is a member, joining or leaving.
    membership: str = MEMBER

    def fields(self) -> dict[str, Any]:
        """`Machine` is null for an unregistered node."""
        node = self.node
        return {
            "ID": node.id,
            "Hostname": node.hostname,
            "Machine": self.machine or None,
            "Membership": self.membership if self.machine else None,
            "Role": node.role,
            "Leader": node.leads,
            "Reachability": node.reachability or None,
            "Status": node.state,
            "Availability": node.availability,
            "Address": node.address,
            "EngineVersion": node.engine,
        }

    def cells(self) -> list[str]:
        node = self.node
        role = "leader" if node.leads else node.role
        if node.reachability not in {"", "reachable"}:
            role += f" ({node.reachability})"
        availability = f"{node.availability} (to be {self.before})" if self.before else node.availability
        if self.membership != MEMBER:
            availability = f"{node.availability} ({self.membership})"
        known = [self.machine or "-", node.hostname, role, node.state, availability, node.address, node.engine]
        return [cell or "-" for cell in known]


@dataclass(frozen=True)
class SwarmReport:
    """Without `asked`, no manager answered, and the nodes are from records."""

    name: str
    cluster: str
    rows: tuple[NodeRow, ...]
    asked: str = ""
    failure: MachineError | None = None

    @property
    def quorum(self) -> Quorum:
        return Quorum.of(row.node for row in self.rows)

    def fields(self) -> dict[str, Any]:
        quorum = self.quorum
        return {
            "Name": self.name,
            "ID": self.cluster,
            "AskedMachine": self.asked or None,
            "Leader": next((row.machine or row.node.hostname for row in self.rows if row.node.leads), None),
            "Managers": quorum.managers,
            "ReachableManagers": quorum.reachable if self.asked else None,
            "Quorum": quorum.needed,
            "ManagersToSpare": quorum.spare if self.asked else None,
            "Error": self.failure.cause if self.failure else None,
            "Nodes": [row.fields() for row in self.rows],
        }

    def heading(self) -> str:
        quorum = self.quorum
        workers = len(self.rows) - quorum.managers
        counts = f"{plural(quorum.managers, 'manager')}, {plural(workers, 'worker')}"
        return f"Swarm {self.name or self.cluster}: {counts}"


def swarm_report(swarms: TrustedSwarms, known: Sequence[tuple[Machine, SwarmNode]]) -> SwarmReport:
    name, cluster = known[0][1].swarm, known[0][1].cluster
    found = swarms.answering_manager(cluster)
    if isinstance(found, Manager):
        return SwarmReport(name, cluster, tuple(node_rows(found.nodes, known)), found.machine.name)
    failure = no_manager_error(name, [machine.name for machine in swarms.managers(cluster)], found)
    recorded = [Node(node.node, "", node.role, "", "unknown") for _, node in known]
    return SwarmReport(name, cluster, tuple(node_rows(recorded, known)), failure=failure)


def node_rows(nodes: Iterable[Node], known: Sequence[tuple[Machine, SwarmNode]]) -> list[NodeRow]:
    """Sort managers first, then by name."""
    ours = {node.node: (machine.name, node.before, node.membership) for machine, node in known}
    found = [NodeRow(node, *ours.get(node.id, ())) for node in nodes]
    return sorted(found, key=lambda row: (not row.node.manages, row.machine or row.node.hostname))
