"""Machines' nodes in Docker's Swarm, by their records. Light path."""

from __future__ import annotations

from machinectl.errors import Hint, MachineError
from machinectl.machines.record import Machine, Phase
from machinectl.value_classes import Mutable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from machinectl.machines.store import Store

MANAGER, WORKER = ROLES = ("manager", "worker")
AVAILABILITIES = ("active", "pause", "drain")
# Recorded before an engine joins or leaves; the machine's next command completes it.
JOINING, MEMBER, LEAVING = MEMBERSHIPS = ("joining", "member", "leaving")


class SwarmNode(Mutable):
    """`swarm` is the machine that started the swarm, `cluster` its ID.

    `before` is the availability to restore after an engine restart, "" if not drained. IDs are "" while joining or
    starting.
    """

    swarm: str
    cluster: str
    node: str
    role: str
    before: str = ""
    membership: str = MEMBER

    @property
    def manages(self) -> bool:
        return self.role == MANAGER and self.membership == MEMBER

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> SwarmNode | None:
        # Earlier versions have no membership.
        words = {name: data.get(name, cls.defaults.get(name, "")) for name in cls.fields_by_name}
        if not all(isinstance(word, str) and word.isprintable() for word in words.values()):
            return None
        node = cls(**words)
        known = node.role in ROLES and node.before in {"", *AVAILABILITIES} and node.membership in MEMBERSHIPS
        return node if known and (node.node or node.membership == JOINING) else None

    def dump(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if value != self.defaults.get(name)}


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
