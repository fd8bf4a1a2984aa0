"""Builders of docker buildx whose nodes are machines' docker contexts: a context keeps up with its machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.docker_cli.contexts import Contexts
from machinectl.docker_cli.machine_contexts import context_status
from machinectl.errors import NO_HINT, Hint, MachineError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machinectl.docker_cli.buildx import Buildx, BuildxNode
    from machinectl.machines.store import Store


@dataclass(frozen=True)
class Builder:
    """`faults` says why nodes lead to no machine, by the node's context."""

    name: str
    nodes: Sequence[BuildxNode]
    faults: Mapping[str, str]

    @property
    def machines(self) -> list[str]:
        return [node.endpoint for node in self.nodes]

    @property
    def platforms(self) -> list[str]:
        return list(dict.fromkeys(platform for node in self.nodes for platform in node.platforms))

    @property
    def state(self) -> str:
        return "; ".join(f"{machine}: {why}" for machine, why in self.faults.items())

    @property
    def hint(self) -> Hint:
        left = [machine for machine in self.machines if machine not in self.faults] or ["<NAME>"]
        create = f"machinectl builder --name {self.name} {' '.join(left)}"
        return Hint("Make it again", f"machinectl builder rm {self.name} && {create}") if self.faults else NO_HINT


def node_name(builder: str, machine: str) -> str:
    """Return the node's name, which tells our nodes from those of others. The cache on the engine has it, too."""
    return f"{builder}-{machine}".lower()


def find_builder(store: Store, buildx: Buildx, name: str) -> Builder | None:
    """Return None if there is no such builder, or if others made it. Raises MachineError."""
    nodes = list((buildx.nodes(name) or {}).values())
    if not nodes or any(node.name != node_name(name, node.endpoint) for node in nodes):
        return None
    faults = {node.endpoint: fault_of(store, node.endpoint) for node in nodes}
    return Builder(name, nodes, {machine: why for machine, why in faults.items() if why})


def fault_of(store: Store, machine: str) -> str:
    """Return why a machine has no docker context, "" if it has one."""
    try:
        found = context_status(Contexts(), store, store.read(machine))
    except MachineError as exc:
        return exc.cause if store.exists(machine) else "there is no such machine any more"
    return "" if found.is_there else f"it has no docker context: {found.why}"


def store_builders(store: Store, buildx: Buildx) -> list[Builder]:
    """Return the builders with a machine of the store. Asks no engine; raises MachineError."""
    found = [find_builder(store, buildx, name) for name in buildx.names()]
    return [each for each in found if each and any(map(store.exists, each.machines))]
