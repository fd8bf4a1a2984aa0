"""`builder`: buildx builders of machines."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from machinectl.docker_cli.builders import Builder, find_builder, node_name, store_builders
from machinectl.docker_cli.buildx import BOOT, CONTAINER, NAME, Buildx, BuildxError, BuildxNode, check_name
from machinectl.docker_cli.contexts import Contexts
from machinectl.docker_cli.machine_contexts import context_status, sync_context
from machinectl.engine import EngineQuery
from machinectl.errors import Hint, MachineError, closest_match
from machinectl.files.ownership import check_directory
from machinectl.hosts.docker_over_ssh import LET_SSH_KNOW
from machinectl.hosts.query_engines import MachineStatus, engine_failures, query_engines, recorded_statuses
from machinectl.images.engine_images import engine_platform

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machinectl.console import Console
    from machinectl.docker_cli.builders import Builder
    from machinectl.machines.store import Store

DEFAULT_NAME = "machinectl"
DRIVER = "docker-container"


@dataclass(frozen=True)
class BuilderOrder:
    name: str
    append: bool = False
    use: bool = False
    bootstrap: bool = False
    options: Mapping[str, str] = field(default_factory=dict)


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
    there = find_builder(store, buildx, order.name)
    check_builder(buildx, there, names, order)
    try:
        with buildx.restoring(order.name):
            for name in names:
                if there is None or name not in there.machines:
                    add_node(store, buildx, order, name, platforms[name])
    except BaseException:
        if there is None and buildx.nodes(order.name) is not None:
            buildx.run("rm", order.name)
        raise
    nodes = list((buildx.nodes(order.name) or {}).values())
    if order.use:
        buildx.run("use", order.name, pointed=True)
    if order.bootstrap:
        bootstrap(buildx, [node.endpoint for node in nodes], order)
    return nodes


def bootstrap(buildx: Buildx, machines: Sequence[str], order: BuilderOrder) -> None:
    """Start buildkitd on all nodes. Raises MachineError."""
    try:
        buildx.run("inspect", "--bootstrap", order.name, patience=BOOT)
    except MachineError as exc:
        again = command_line(order.name, machines, order, "--driver-opt image=<IMAGE>")
        raise MachineError(
            f'There is a builder "{order.name}" now, but its BuildKit did not start: {exc.cause}',
            Hint("Try again", "docker buildx inspect --bootstrap", order.name)
            | Hint("if the hosts do not reach its registry", f"machinectl builder rm {order.name} && {again}"),
        ) from exc


def check_context(store: Store, name: str) -> None:
    """Update a machine's docker context. Raises MachineError if it has none."""
    machine = store.read_ready(name)
    sync_context(Contexts(), store, machine)
    found = context_status(Contexts(), store, machine)
    if not found.is_there:
        raise MachineError(f'"{name}" has no docker context: {found.why}', found.hint)


def engine_platforms(store: Store, names: Sequence[str], timeout: float) -> dict[str, str]:
    """Ask the engines for their platforms at once. Raises MachineError if one does not answer."""
    found, missing = recorded_statuses(store, names, MachineStatus)
    for _ in query_engines(store, found, timeout, EngineQuery("/info", dict)):
        pass
    for failure in [*missing, *engine_failures(found)]:
        raise failure
    return {one.machine.name: engine_platform(one.told or {}) for one in found}


def check_builder(buildx: Buildx, there: Builder | None, names: Sequence[str], order: BuilderOrder) -> None:
    """Raise MachineError if the order does not fit a builder of that name."""
    name = order.name
    other = Hint("Choose another name", command_line("<NAME>", names, order))
    if Contexts().read(name):
        raise MachineError(f'buildx takes the docker context "{name}" for a builder of that name', other)
    if there is None:
        if buildx.nodes(name) is not None:
            raise MachineError(f'There is a builder "{name}" that machinectl did not make', other)
        return
    anew = f"machinectl builder rm {name} && {command_line(name, names, order)}"
    again = Hint("Make it again", anew)
    if there.faults:
        raise MachineError(f'The builder "{name}" has nodes without a machine: {there.state}', again)
    more = [each for each in names if each not in there.machines]
    if not order.append and not set(there.machines) <= set(names):
        add = Hint("Add to it", command_line(name, more, order, "--append"))
        hint = add | Hint("or make it again", anew) if more else again
        raise MachineError(f'There is a builder "{name}" already, with {", ".join(there.machines)}', hint)
    if order.options and not more:
        raise MachineError(f'The options of the builder "{name}" do not change', again)


def command_line(builder: str, names: Sequence[str], order: BuilderOrder, *flags: str) -> str:
    switches = [flag for flag, given in (("--use", order.use), ("--bootstrap", order.bootstrap)) if given]
    named = () if builder == DEFAULT_NAME else ("--name", builder)
    return " ".join(["machinectl builder", *flags, *switches, *named, *names])


def add_node(store: Store, buildx: Buildx, order: BuilderOrder, machine: str, platform: str) -> None:
    """Add a node for the platform of its engine, unless another one is for that."""
    there = buildx.nodes(order.name) or {}
    is_first = all(platform not in node.platforms for node in there.values())
    node = BuildxNode(node_name(order.name, machine), machine, (platform,) if is_first else (), order.options)
    try:
        buildx.set_node(order.name, node, driver="" if there else DRIVER, append=bool(there))
    except MachineError as exc:
        said = exc.said if isinstance(exc, BuildxError) else ""
        if refused := [key for key in order.options if f"driver option {key} " in f"{said} "]:
            exc.hint = Hint(f"Remove or correct --driver-opt {refused[0]}")
        elif store.read(machine).url.startswith("ssh://"):
            # docker knows only the machine's address, and its ssh only ~/.ssh/config.
            exc.hint = LET_SSH_KNOW
        raise


@dataclass(frozen=True)
class BuilderRow:
    builder: Builder

    def fields(self) -> dict[str, object]:
        faults = self.builder.faults
        nodes = [
            {
                "Name": node.name,
                "Machine": node.endpoint,
                "Platforms": list(node.platforms),
                "Why": faults.get(node.endpoint, ""),
            }
            for node in self.builder.nodes
        ]
        return {"Name": self.builder.name, "Nodes": nodes}

    def cells(self) -> list[str]:
        builder = self.builder
        return [builder.name, ", ".join(builder.machines), ", ".join(builder.platforms), builder.state or "ready"]


def builder_ls(store: Store) -> list[BuilderRow]:
    return [BuilderRow(builder) for builder in store_builders(store, Buildx(os.environ))]


def builder_rm(store: Store, console: Console, name: str, *, keep_state: bool = False) -> None:
    """Remove a builder, with BuildKit and its cache on the machines. Raises MachineError."""
    buildx = Buildx(os.environ)
    builder = find_builder(store, buildx, name) if NAME.fullmatch(name) else None
    if builder is None:
        raise no_such_builder(store, buildx, name)
    try:
        buildx.run("rm", *(["--keep-state"] if keep_state else []), name)
    except MachineError as exc:
        # buildx removes the builder also if an engine does not answer.
        if buildx.nodes(name) is not None:
            raise
        names = [f"{CONTAINER}{node.name}" for node in builder.nodes]
        containers, caches = " ".join(names), " ".join(f"{each}_state" for each in names)
        machines = " ".join(filter(store.exists, builder.machines))
        console.warn(
            f"{exc.cause}\nBuildKit's containers and caches may be left: {containers}",
            Hint("When all machines answer", f"machinectl docker {machines} -- rm -f {containers}")
            | Hint("", f"machinectl docker {machines} -- volume rm -f {caches}"),
        )


def no_such_builder(store: Store, buildx: Buildx, name: str) -> MachineError:
    if NAME.fullmatch(name) and buildx.nodes(name) is not None:
        return MachineError(
            f'machinectl did not make the builder "{name}"', Hint("Remove it", "docker buildx rm", name)
        )
    near = closest_match(name, [builder.name for builder in store_builders(store, buildx)])
    hint = (
        Hint("Did you mean", "machinectl builder rm", near)
        if near
        else Hint("List the builders", "machinectl builder ls")
    )
    return MachineError(f'There is no builder "{name}"', hint)
