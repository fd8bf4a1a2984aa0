"""Machines' nodes in Docker's Swarm, by their records. Light path."""

from __future__ import annotations

from machinectl.errors import Hint, MachineError
from machinectl.machines.record import Machine, Phase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from machinectl.machines.store import Store

MANAGER, WORKER = ROLES = ("manager", "worker")
AVAILABILITIES = ("active", "pause", "drain")
# Recorded before an engine joins or leaves; the machine's next command completes it.
JOINING, MEMBER, LEAVING = MEMBERSHIPS = ("joining", "member", "leaving")


class SwarmNode:
    """`swarm` is the machine that started the swarm, `cluster` its ID.

    `before` is the availability to restore after an engine restart, "" if not drained. IDs are "" while joining or
    starting.
    """

    __slots__ = ("before", "cluster", "membership", "node", "role", "swarm")

    def __init__(
        self, swarm: str, cluster: str, node: str, role: str, before: str = "", membership: str = MEMBER
    ) -> None:
        self.swarm = swarm
        self.cluster = cluster
        self.node = node
        self.role = role
        self.before = before
        self.membership = membership

    @property
    def manages(self) -> bool:
        return self.role == MANAGER and self.membership == MEMBER

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> SwarmNode | None:
        words = [data.get(key, "") for key in ("swarm", "cluster", "node", "role", "before")]
        words.append(data.get("membership", MEMBER))
        if not all(isinstance(word, str) and word.isprintable() for word in words):
            return None
        # Earlier versions told a node that its managers no longer list from one that leaves.
        words[-1] = words[-1].replace("forgotten", LEAVING)
        *_, node, role, before, membership = words
        if role not in ROLES or before not in {"", *AVAILABILITIES} or membership not in MEMBERSHIPS:
            return None
        return cls(*words) if node or membership == JOINING else None

    def dump(self) -> dict[str, Any]:
        known = {"swarm": self.swarm, "cluster": self.cluster, "node": self.node, "role": self.role}
        if self.before:
            known["before"] = self.before
        # Earlier versions have no membership.
        return known if self.membership == MEMBER else {**known, "membership": self.membership}


def node_of(machine: Machine) -> SwarmNode | None:
    """Return None unless the machine is a member."""
    node = on_record(machine)
    return node if node and node.membership == MEMBER else None


def on_record(machine: Machine) -> SwarmNode | None:
    """Return the node, also while joining or leaving."""
    return SwarmNode.load(machine.swarm) if machine.swarm else None


def all_nodes(store: Store) -> list[tuple[Machine, SwarmNode]]:
    """Return members by name; skip unreadable records."""
    return [(machine, node) for machine, node in on_records(store) if node.membership == MEMBER]


def on_records(store: Store) -> list[tuple[Machine, SwarmNode]]:
    """Return members, and machines that are joining or leaving."""
    ready = (machine for machine in store.readable() if machine.phase == Phase.READY)
    return [(machine, node) for machine in ready if (node := on_record(machine))]


def swarm_nodes(store: Store, name: str) -> list[tuple[Machine, SwarmNode]]:
    """Return the swarm of a machine, which comes first, or of that name. Raises MachineError."""
    there = all_nodes(store)
    own = next((node for machine, node in there if machine.name == name), None)
    swarms = [node for _, node in there if node.swarm == name]
    known = own or (swarms[0] if swarms else None)
    if known is None:
        store.check_exists(name)
        store.read_ready(name)
        hint = Hint("If it was joined by hand", "machinectl swarm status", name)
        hint |= Hint("start one there", "machinectl swarm init", name)
        raise MachineError(f'"{name}" is not in a swarm that machinectl knows', hint)
    same = [each for each in there if each[1].cluster == known.cluster and (known.cluster or each[1] is known)]
    return sorted(same, key=lambda each: each[0].name != name)
