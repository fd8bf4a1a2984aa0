"""What a machine's engine is in Docker's Swarm, as its record keeps it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from machinectl.machines.record import Machine

MANAGER, WORKER = ROLES = ("manager", "worker")
AVAILABILITIES = ("active", "pause", "drain")


class SwarmNode:
    """A node of a swarm.

    `swarm` is the swarm's name here, that of the machine that it began with, and `cluster` its ID; `node` is the node's
    ID, `role` manager or worker. `before` is the availability that it is given back when its engine has been restarted,
    "" where it was not drained for that. What is not known is "".
    """

    __slots__ = ("before", "cluster", "node", "role", "swarm")

    def __init__(self, swarm: str, cluster: str, node: str, role: str, before: str = "") -> None:
        self.swarm = swarm
        self.cluster = cluster
        self.node = node
        self.role = role
        self.before = before

    @property
    def manages(self) -> bool:
        return self.role == MANAGER

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> SwarmNode | None:
        """The node of a record; None where there is none that can be understood."""
        words = [data.get(key, "") for key in ("swarm", "cluster", "node", "role", "before")]
        if not all(isinstance(word, str) and word.isprintable() for word in words):
            return None
        swarm, cluster, node, role, before = words
        if not node or role not in ROLES or before not in {"", *AVAILABILITIES}:
            return None
        return cls(swarm, cluster, node, role, before)

    def dump(self) -> dict[str, Any]:
        known = {"swarm": self.swarm, "cluster": self.cluster, "node": self.node, "role": self.role}
        return {**known, **({"before": self.before} if self.before else {})}


def node_of(machine: Machine) -> SwarmNode | None:
    """What a machine's engine is in a swarm, by its record; None where that says that it is in none."""
    return SwarmNode.load(machine.swarm) if machine.swarm else None
