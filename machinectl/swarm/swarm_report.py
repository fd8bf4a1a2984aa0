"""What `swarm status` shows of a swarm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from machinectl.engine.swarm_api import Node
from machinectl.machines.swarm_node import MEMBER
from machinectl.quantities import plural
from machinectl.swarm_nodes.managers import Manager, Quorum, no_manager_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from machinectl.errors import MachineError
    from machinectl.machines.record import Machine
    from machinectl.machines.swarm_node import SwarmNode
    from machinectl.swarm_nodes.membership import TrustedSwarms


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
        if self.asked and quorum.reachable < quorum.managers:
            counts += f"; {plural(quorum.managers - quorum.reachable, 'manager')} cannot be reached"
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
