"""Keep buildx builders in step with their machines: a node for each machine."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TYPE_CHECKING

from machinectl.docker_cli.buildx import CONTAINER, Buildx, BuildxNode
from machinectl.docker_cli.contexts import Contexts
from machinectl.errors import MachineError
from machinectl.files.atomic import quote_word
from machinectl.hosts.certificates.identity import CLIENT_FILES
from machinectl.hosts.exports.builder_records import read_builders, writing_builders
from machinectl.hosts.exports.docker_contexts import context_status
from machinectl.url import EngineURL, parse_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from machinectl.hosts.exports.builder_records import Builder, BuilderNode
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

SYNC = "machinectl builder sync"


class NodeStep(Enum):
    NONE = auto()
    # Point the node at its machine, or give it its platform.
    SET = auto()
    LEAVE = auto()
    # Somebody else has removed the node.
    FORGET = auto()
    # Nothing for now: the machine is not ready.
    WAIT = auto()


@dataclass(frozen=True)
class NodeStatus:
    """`why` explains a mismatch; `wanted` is the correct node."""

    node: BuilderNode
    step: NodeStep = NodeStep.NONE
    why: str = ""
    hint: str = ""
    wanted: BuildxNode | None = None


@dataclass(frozen=True)
class BuilderStatus:
    """`why` is about the whole builder. `is_elsewhere`: another DOCKER_CONFIG or BUILDX_CONFIG has it."""

    builder: Builder
    nodes: Sequence[NodeStatus]
    why: str = ""
    hint: str = ""
    is_elsewhere: bool = False

    @property
    def reasons(self) -> list[str]:
        """Return what is not in step; nothing if all is."""
        mismatched = [f"{each.node.machine}: {each.why}" for each in self.nodes if each.step is not NodeStep.NONE]
        return [self.why] if self.why else mismatched

    @property
    def hints(self) -> list[str]:
        return list(dict.fromkeys(filter(None, [self.hint, *(each.hint for each in self.nodes)])))


def builder_statuses(store: Store, buildx: Buildx) -> list[BuilderStatus]:
    """Compare all builders with their machines. Asks no engine."""
    return [builder_status(store, buildx, builder) for builder in read_builders(store).values()]


def builder_status(store: Store, buildx: Buildx, builder: Builder) -> BuilderStatus:
    if builder.directory != buildx.directory:
        hint = f"Let buildx look there: export BUILDX_CONFIG={quote_word(builder.directory)}"
        return BuilderStatus(builder, (), f"buildx keeps it in {builder.directory}", hint, is_elsewhere=True)
    try:
        there = buildx.nodes(builder.name)
    except MachineError as exc:
        return BuilderStatus(builder, (), exc.cause, exc.hint)
    if there is None:
        return BuilderStatus(builder, (), "docker buildx has removed it", f"Forget it: {SYNC}")
    return BuilderStatus(builder, node_statuses(store, builder, there))


def node_statuses(store: Store, builder: Builder, there: dict[str, BuildxNode]) -> list[NodeStatus]:
    docker = Contexts()
    return [node_status(store, docker, builder, node, there) for node in builder.nodes]


def node_status(
    store: Store, docker: Contexts, builder: Builder, node: BuilderNode, there: dict[str, BuildxNode]
) -> NodeStatus:
    hint = f"Update it: {SYNC}"
    found = there.get(node.name)
    if found is None:
        return NodeStatus(node, NodeStep.FORGET, "docker buildx has removed its node", hint)
    if not store.exists(node.machine):
        return NodeStatus(node, NodeStep.LEAVE, "the machine is gone", hint)
    try:
        machine = store.read(node.machine)
        if not builder.port and not machine.context:
            return NodeStatus(node, NodeStep.LEAVE, "the machine has no docker context", hint)
        wanted = wanted_node(store, docker, builder, node, machine)
    except MachineError as exc:
        return NodeStatus(node, NodeStep.WAIT, exc.cause, exc.hint)
    if found.endpoint != wanted.endpoint:
        return NodeStatus(node, NodeStep.SET, f"its node led to {found.endpoint}", hint, wanted)
    if not wanted.options.items() <= found.options.items():
        return NodeStatus(node, NodeStep.SET, "its certificates are elsewhere", hint, wanted)
    # buildx gives a platform to the node that got it last.
    others = [each for each in there.values() if each.name != node.name and node.platform in each.platforms]
    if wanted.platforms and node.platform not in found.platforms and not others:
        return NodeStatus(node, NodeStep.SET, f"its node is not the one for {node.platform}", hint, wanted)
    return NodeStatus(node, wanted=wanted)


def wanted_node(store: Store, docker: Contexts, builder: Builder, node: BuilderNode, machine: Machine) -> BuildxNode:
    """Return a machine's node. Raises MachineError without a context or, for a remote buildkitd, without an address."""
    platforms = (node.platform,) if builder.builds[node.platform] == machine.name else ()
    if builder.port:
        return replace(remote_node(machine, builder.port), name=node.name, platforms=platforms)
    found = context_status(docker, store, machine)
    if not found.is_there:
        raise MachineError(f'"{machine.name}" has no docker context: {found.why}', found.hint)
    return BuildxNode(node.name, machine.name, platforms)


def remote_node(machine: Machine, port: int) -> BuildxNode:
    """Return a node of a buildkitd that takes the machine's certificates."""
    url = parse_url(machine.urls[0])
    if url.scheme != "tcp":
        raise MachineError(
            f'"{machine.name}" has no certificates for buildkitd: its engine is {machine.url}',
            "Leave out --driver remote",
        )
    options = {}
    if machine.tls:
        paths = (os.path.join(machine.directory, name) for name in CLIENT_FILES)
        options = dict(zip(("cacert", "cert", "key"), paths, strict=True))
    return BuildxNode("", str(EngineURL("tcp", host=url.host, port=port)), options=options)


def sync_builders(store: Store, machine: str = "") -> Iterator[tuple[Builder, NodeStatus]]:
    """Repair builders, or those with the machine; yield what was repaired. Raises MachineError."""
    with writing_builders(store) as builders:
        buildx = Buildx(os.environ)
        for builder in list(builders.values()):
            if builder.directory == buildx.directory and (not machine or machine in builder.machines):
                yield from ((builder, done) for done in sync_builder(store, buildx, builder))
            if not builder.nodes:
                del builders[builder.name]


def sync_builder(store: Store, buildx: Buildx, builder: Builder) -> Iterator[NodeStatus]:
    there = buildx.nodes(builder.name) or {}
    for each in node_statuses(store, builder, there):
        if each.step in {NodeStep.LEAVE, NodeStep.FORGET}:
            if each.step is NodeStep.LEAVE:
                leave(buildx, builder, each.node)
            builder.nodes.remove(each.node)
            yield each
    # The first machine of each platform may be another one now.
    there = buildx.nodes(builder.name) or {}
    for wrong in set_together(node_statuses(store, builder, there), there):
        set_nodes(buildx, builder, wrong, there)
        yield from wrong


def set_together(statuses: Sequence[NodeStatus], there: Mapping[str, BuildxNode]) -> list[list[NodeStatus]]:
    """Return the nodes to set: first those that lead elsewhere, which must be set at once."""
    wrong = [each for each in statuses if each.step is NodeStep.SET]
    moved = [each for each in wrong if each.wanted and each.wanted.endpoint != there[each.node.name].endpoint]
    return [*([moved] if moved else []), *([each] for each in wrong if each not in moved)]


def set_nodes(buildx: Buildx, builder: Builder, wrong: Sequence[NodeStatus], there: Mapping[str, BuildxNode]) -> None:
    """Set nodes whose contexts may be gone: with one of those, buildx only takes nodes out."""
    first, *others = [each.wanted for each in wrong if each.wanted]
    with buildx.restoring(builder.name):
        for node in others:
            buildx.leave(builder.name, node.name)
        buildx.set_node(builder.name, first)
        for node in others:
            options = {**there[node.name].options, **node.options}
            buildx.set_node(builder.name, replace(node, options=options), append=True)


def leave(buildx: Buildx, builder: Builder, node: BuilderNode) -> None:
    """Take a node out. buildx keeps no builder without nodes."""
    if len(buildx.nodes(builder.name) or {}) > 1:
        buildx.leave(builder.name, node.name)
    else:
        buildx.run("rm", builder.name)


def update_builders(store: Store, name: str, after: Machine | None) -> list[str]:
    """Update builders after a machine has changed (`Store`'s Follower); return notes. `name` is the old name."""
    if not any(name in builder.machines for builder in read_builders(store).values()):
        return []
    now = after.name if after else name
    if now != name:
        with writing_builders(store) as builders:
            for node in (node for builder in builders.values() for node in builder.nodes if node.machine == name):
                node.machine = now
    return [
        f'The builder "{builder.name}" no longer has "{name}"; that engine may still have the container '
        f"{CONTAINER}{each.node.name}"
        for builder, each in sync_builders(store, now)
        if each.step is NodeStep.LEAVE
    ]
