"""Builders of docker buildx whose nodes are machines' docker contexts: a context keeps up with its machine."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from machinectl.docker_cli.buildx import BOOT, CONTAINER, NAME, Buildx, BuildxError, BuildxNode, check_name
from machinectl.docker_cli.contexts import Contexts
from machinectl.docker_cli.machine_contexts import context_status, sync_context
from machinectl.engine import EngineQuery
from machinectl.engine.image_names import engine_platform
from machinectl.errors import NO_HINT, Hint, MachineError
from machinectl.files.ownership import check_directory
from machinectl.hosts.query_engines import MachineStatus, engine_failures, query_engines, recorded_statuses
from machinectl.hosts.ssh_config import LET_SSH_KNOW

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machinectl.console import Console
    from machinectl.machines.store import Store

DRIVER = "docker-container"


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
    def state(self) -> str:
        return "; ".join(f"{machine}: {why}" for machine, why in self.faults.items())

    @property
    def hint(self) -> Hint:
        left = [machine for machine in self.machines if machine not in self.faults] or ["<NAME>"]
        return again(self.name, left) if self.faults else NO_HINT

    def cells(self) -> list[str]:
        platforms = dict.fromkeys(platform for node in self.nodes for platform in node.platforms)
        return [self.name, ", ".join(self.machines), ", ".join(platforms), self.state or "ready"]

    def fields(self) -> dict[str, object]:
        nodes = [
            {
                "Name": node.name,
                "Machine": node.endpoint,
                "Platforms": list(node.platforms),
                "Why": self.faults.get(node.endpoint, ""),
            }
            for node in self.nodes
        ]
        return {"Name": self.name, "Nodes": nodes}


@dataclass(frozen=True)
class BuilderOrder:
    """`options` are values of --driver-opt."""

    name: str
    append: bool = False
    use: bool = False
    bootstrap: bool = False
    options: Sequence[str] = ()


def again(builder: str, names: Sequence[str]) -> Hint:
    """Return the command lines that make a builder anew, without its options."""
    create = f"machinectl builder --name {builder} {' '.join(names)}"
    return Hint("Make it again", f"machinectl builder rm {builder} && {create}")


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
        status = context_status(Contexts(), store, store.read(machine))
    except MachineError as exc:
        return exc.cause if store.exists(machine) else "there is no such machine any more"
    return "" if status.is_there else f"it has no docker context: {status.why}"


def store_builders(store: Store, buildx: Buildx) -> list[Builder]:
    """Return the builders with a machine of the store. Asks no engine; raises MachineError."""
    builders = [find_builder(store, buildx, name) for name in buildx.names()]
    return [each for each in builders if each and any(map(store.exists, each.machines))]


def create_builder(
    store: Store, console: Console, names: Sequence[str], order: BuilderOrder, timeout: float
) -> list[BuildxNode]:
    """Make a builder, finish one, or add machines; return its nodes. Raises MachineError; what is new is removed."""
    order = replace(order, name=check_name(order.name))
    buildx = Buildx(os.environ)
    check_directory(buildx.directory, "export BUILDX_CONFIG=<DIRECTORY>", console.warn)
    for name in names:
        check_context(store, name)
    platforms = engine_platforms(store, names, timeout)
    present = find_builder(store, buildx, order.name)
    check_builder(buildx, present, names, order)
    try:
        for name in names:
            if present is None or name not in present.machines:
                add_node(store, buildx, order, name, platforms[name])
    except BaseException:
        if present is None and buildx.nodes(order.name) is not None:
            buildx.run("rm", order.name)
        raise
    nodes = list((buildx.nodes(order.name) or {}).values())
    if order.use:
        buildx.run("use", order.name, pointed=True)
    if order.bootstrap:
        # The builder stays if its BuildKit does not start.
        buildx.run("inspect", "--bootstrap", order.name, patience=BOOT)
    return nodes


def check_context(store: Store, name: str) -> None:
    """Update a machine's docker context. Raises MachineError if it has none."""
    machine = store.read_ready(name)
    sync_context(Contexts(), store, name)
    status = context_status(Contexts(), store, machine)
    if not status.is_there:
        raise MachineError(f'"{name}" has no docker context: {status.why}', status.hint)


def engine_platforms(store: Store, names: Sequence[str], timeout: float) -> dict[str, str]:
    """Ask the engines for their platforms at once. Raises MachineError if one does not answer."""
    statuses, missing = recorded_statuses(store, names, MachineStatus)
    for _ in query_engines(store, statuses, timeout, EngineQuery("/info", dict)):
        pass
    for failure in [*missing, *engine_failures(statuses)]:
        raise failure
    return {status.machine.name: engine_platform(status.told or {}) for status in statuses}


def check_builder(buildx: Buildx, present: Builder | None, names: Sequence[str], order: BuilderOrder) -> None:
    """Raise MachineError if the order does not fit a builder of that name."""
    name = order.name
    other = Hint("Choose another name: --name <NAME>")
    if Contexts().read(name):
        raise MachineError(f'buildx takes the docker context "{name}" for a builder of that name', other)
    if present is None:
        if buildx.nodes(name) is not None:
            raise MachineError(f'There is a builder "{name}" that machinectl did not make', other)
        return
    anew = again(name, names)
    if present.faults:
        raise MachineError(f'The builder "{name}" has nodes without a machine: {present.state}', anew)
    if not order.append and not set(present.machines) <= set(names):
        add = Hint("Add to it: --append, or make it again", anew.parts[0][1])
        raise MachineError(f'There is a builder "{name}" already, with {", ".join(present.machines)}', add)
    if order.options and set(names) <= set(present.machines):
        raise MachineError(f'The options of the builder "{name}" do not change', anew)


def add_node(store: Store, buildx: Buildx, order: BuilderOrder, machine: str, platform: str) -> None:
    """Add a node for the platform of its engine, unless another one is for that."""
    nodes = buildx.nodes(order.name) or {}
    is_first = all(platform not in node.platforms for node in nodes.values())
    words = ["create", "--name", order.name, "--node", node_name(order.name, machine)]
    words += ["--append"] if nodes else ["--driver", DRIVER]
    words += ["--platform", platform] if is_first else []
    for option in order.options:
        words += ["--driver-opt", option]
    try:
        buildx.run(*words, machine)
    except BuildxError as exc:
        if store.read(machine).url.startswith("ssh://") and not order.options:
            # docker knows only the machine's address, and its ssh only ~/.ssh/config.
            exc.hint = LET_SSH_KNOW
        raise


def remove_builder(store: Store, console: Console, name: str, *, keep_state: bool = False) -> None:
    """Remove a builder, with BuildKit and its cache on the machines. Raises MachineError."""
    buildx = Buildx(os.environ)
    builder = find_builder(store, buildx, name) if NAME.fullmatch(name) else None
    if builder is None:
        raise MachineError(
            f'machinectl made no builder "{name}"',
            Hint("List those that it made", "machinectl builder ls") | Hint("or all", "docker buildx ls"),
        )
    try:
        buildx.run("rm", *(["--keep-state"] if keep_state else []), name)
    except MachineError as exc:
        # buildx removes the builder also if an engine does not answer.
        if buildx.nodes(name) is not None:
            raise
        containers = " ".join(f"{CONTAINER}{node.name}" for node in builder.nodes)
        caches = " ".join(f"{CONTAINER}{node.name}_state" for node in builder.nodes)
        machines = " ".join(filter(store.exists, builder.machines))
        console.warn(
            f"{exc.cause}\nBuildKit and its cache may be left on some machines",
            Hint("When all machines answer", f"machinectl docker {machines} -- rm -f {containers}")
            | Hint("", f"machinectl docker {machines} -- volume rm -f {caches}"),
        )
