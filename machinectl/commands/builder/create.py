"""`builder`: make a buildx builder of machines."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from machinectl.docker_cli.buildx import BOOT, Buildx, BuildxNode, check_name
from machinectl.docker_cli.contexts import Contexts
from machinectl.engine import EngineQuery
from machinectl.errors import MachineError
from machinectl.files.ownership import check_directory
from machinectl.hosts.exports.builder_records import Builder, BuilderNode, save_builders, writing_builders
from machinectl.hosts.exports.builders import leave, remote_node, wanted_node
from machinectl.hosts.exports.docker_contexts import sync_context
from machinectl.hosts.exports.ssh_config_file import LET_SSH_KNOW
from machinectl.hosts.status.query_engines import MachineStatus, engine_failures, query_engines, recorded_statuses
from machinectl.images.engine_images import engine_platform
from machinectl.url import parse_url

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machinectl.console import Console
    from machinectl.machines.store import Store


DEFAULT_NAME = "machinectl"
# docker knows only the machine's address, and its ssh only ~/.ssh/config.
SSH_HINT = f"Your own ssh must know the machine: {LET_SSH_KNOW}"


@dataclass(frozen=True)
class BuilderOrder:
    """`port` is that of a buildkitd that runs on each host, 0 to have one started in a container."""

    name: str
    append: bool = False
    use: bool = False
    bootstrap: bool = False
    port: int = 0
    options: Mapping[str, str] = field(default_factory=dict)


def create_builder(
    store: Store, console: Console, names: Sequence[str], order: BuilderOrder, timeout: float
) -> Builder:
    """Make a builder, finish one, or add machines. Raises MachineError; what is new is then removed again."""
    order = replace(order, name=check_name(order.name))
    buildx = Buildx(os.environ)
    check_directory(buildx.directory, "export BUILDX_CONFIG=<DIRECTORY>", console.warn)
    for name in names:
        check_usable(store, name, order.port, timeout)
    platforms = engine_platforms(store, names, timeout)
    with writing_builders(store) as builders:
        there = buildx.nodes(order.name)
        builder = builders.get(order.name)
        check_builder(builder, there, names, order, buildx.directory)
        if builder is None or there is None:
            builder = builders[order.name] = Builder(order.name, buildx.directory, order.port)
        before = list(builder.nodes)
        for name in names:
            if name not in builder.machines:
                builder.nodes.append(BuilderNode(new_node_name(builder, name, there or {}), name, platforms[name]))
        # On record before it is made: the next run finishes what a killed one left.
        save_builders(store, builders)
        try:
            add_nodes(store, buildx, builder, order)
        except BaseException:
            withdraw(buildx, builder, before)
            if not builder.nodes:
                del builders[order.name]
            raise
    if order.use:
        buildx.run("use", order.name, pointed=True)
    if order.bootstrap:
        bootstrap(buildx, builder, order)
    return builder


def bootstrap(buildx: Buildx, builder: Builder, order: BuilderOrder) -> None:
    """Start buildkitd on all nodes. Raises MachineError."""
    try:
        buildx.run("inspect", "--bootstrap", order.name, patience=BOOT)
    except MachineError as exc:
        again = command_line(order.name, builder.machines, order, "--driver-opt image=<IMAGE>")
        other = f"\nIf the hosts do not reach its registry: machinectl builder rm {order.name} && {again}"
        raise MachineError(
            f'There is a builder "{order.name}" now, but its BuildKit did not start: {exc.cause}',
            f"Try again: docker buildx inspect --bootstrap {order.name}{'' if builder.port else other}",
        ) from exc


def check_usable(store: Store, name: str, port: int, timeout: float) -> None:
    """Raise MachineError for a machine without a docker context, or one whose buildkitd does not listen."""
    machine = store.read_ready(name)
    if not port:
        sync_context(Contexts(), store, machine)
        return
    url = parse_url(remote_node(machine, port).endpoint)
    try:
        socket.create_connection((url.host, port), timeout).close()
    except OSError as exc:
        raise MachineError(
            f'"{name}": nothing answers on port {port} of {url.host}: {exc.strerror or exc}',
            "Start buildkitd on its host, or leave out --driver remote",
        ) from exc


def engine_platforms(store: Store, names: Sequence[str], timeout: float) -> dict[str, str]:
    """Ask the engines for their platforms at once. Raises MachineError if one does not answer."""
    found, missing = recorded_statuses(store, names, MachineStatus)
    for _ in query_engines(store, found, timeout, EngineQuery("/info", dict)):
        pass
    for failure in [*missing, *engine_failures(found)]:
        raise failure
    return {one.machine.name: engine_platform(one.told or {}) for one in found}


def check_builder(
    builder: Builder | None,
    there: Mapping[str, BuildxNode] | None,
    names: Sequence[str],
    order: BuilderOrder,
    directory: str,
) -> None:
    """Raise MachineError if the order does not fit a builder of that name."""
    name = order.name
    other = f"Choose another name: {command_line('<NAME>', names, order)}"
    if Contexts().read(name):
        raise MachineError(f'buildx takes the docker context "{name}" for a builder of that name', other)
    if builder and builder.directory != directory:
        raise MachineError(f'There is a builder "{name}" already: buildx keeps it in {builder.directory}', other)
    if there is None:
        return
    if builder is None:
        raise MachineError(f'There is a builder "{name}" that machinectl did not make', other)
    again = f"make it again: machinectl builder rm {name} && {command_line(name, names, order)}"
    if builder.port != order.port:
        raise MachineError(
            f'The builder "{name}" has the driver {builder.driver}'
            + (f", and buildkitd's port {builder.port}" if builder.port else ""),
            f"Give the same driver and port; or {again}",
        )
    if not order.append and set(names) != set(builder.machines):
        more = [each for each in names if each not in builder.machines]
        add = f"Add to it: {command_line(name, more, order, '--append')}; or {again}"
        hint = add if more else again[0].upper() + again[1:]
        raise MachineError(f'There is a builder "{name}" already, with {", ".join(builder.machines)}', hint)
    complete = all(node.name in there for node in builder.nodes) and set(names) <= set(builder.machines)
    if order.options and complete:
        raise MachineError(f'The options of the builder "{name}" do not change', again[0].upper() + again[1:])


def command_line(builder: str, names: Sequence[str], order: BuilderOrder, *flags: str) -> str:
    switches = [flag for flag, given in (("--use", order.use), ("--bootstrap", order.bootstrap)) if given]
    named = () if builder == DEFAULT_NAME else ("--name", builder)
    remote = ("--driver", "remote", "--port", str(order.port)) if order.port else ()
    return " ".join(["machinectl builder", *flags, *switches, *named, *remote, *names])


def new_node_name(builder: Builder, machine: str, there: Mapping[str, BuildxNode]) -> str:
    """Return a free name. The cache on the engine has it, and it tells our nodes from those of others."""
    first = f"{builder.name}-{machine}".lower()
    taken = {*there, *(node.name for node in builder.nodes)}
    return next(name for name in (first, *(f"{first}-{n}" for n in range(2, len(taken) + 3))) if name not in taken)


def add_nodes(store: Store, buildx: Buildx, builder: Builder, order: BuilderOrder) -> None:
    docker = Contexts()
    there = set(buildx.nodes(builder.name) or {})
    for node in builder.nodes:
        if node.name not in there:
            machine = store.read_ready(node.machine)
            wanted = wanted_node(store, docker, builder, node, machine)
            wanted = replace(wanted, options={**wanted.options, **order.options})
            try:
                buildx.set_node(builder.name, wanted, driver="" if there else builder.driver, append=bool(there))
            except MachineError as exc:
                if refused := [key for key in order.options if f"driver option {key} " in f"{exc.cause} "]:
                    exc.hint = f"Remove or correct --driver-opt {refused[0]}"
                elif machine.url.startswith("ssh://"):
                    exc.hint = SSH_HINT
                raise
            there.add(node.name)
    if builder.port:
        check_remote(buildx, builder)


def check_remote(buildx: Buildx, builder: Builder) -> None:
    """Raise MachineError if a buildkitd does not answer: buildx creates its node without asking it."""
    statuses = buildx.statuses(builder.name)
    for node in builder.nodes:
        if statuses.get(node.name) != "running":
            raise MachineError(
                f'"{node.machine}": no buildkitd accepts the machine\'s certificates on port {builder.port}',
                "Start it with the certificates of the engine, which are in /etc/docker/machinectl",
            )


def withdraw(buildx: Buildx, builder: Builder, before: Sequence[BuilderNode]) -> None:
    """Remove the nodes that are new."""
    for node in [node for node in builder.nodes if node not in before]:
        if node.name in (buildx.nodes(builder.name) or {}):
            leave(buildx, builder, node)
        builder.nodes.remove(node)
