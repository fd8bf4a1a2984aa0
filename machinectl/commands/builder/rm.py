"""`builder rm`: remove a builder that machinectl made."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from machinectl.docker_cli.buildx import CONTAINER, Buildx
from machinectl.errors import MachineError, closest_match
from machinectl.hosts.exports.builder_records import writing_builders
from machinectl.hosts.exports.builders import builder_status

if TYPE_CHECKING:
    from machinectl.console import Console
    from machinectl.hosts.exports.builder_records import Builder
    from machinectl.machines.store import Store


def builder_rm(store: Store, console: Console, name: str, *, keep_state: bool = False) -> None:
    """Remove a builder, with BuildKit and its cache on the machines. Raises MachineError."""
    buildx = Buildx(os.environ)
    with writing_builders(store) as builders:
        builder = builders.get(name)
        if builder is None:
            raise no_such_builder(buildx, name, list(builders))
        status = builder_status(store, buildx, builder)
        if status.is_elsewhere:
            raise MachineError(f'The builder "{name}" is not removed: {status.why}', status.hint)
        if buildx.nodes(name) is not None:
            remove(buildx, console, builder, keep_state=keep_state)
        del builders[name]


def remove(buildx: Buildx, console: Console, builder: Builder, *, keep_state: bool) -> None:
    try:
        buildx.run("rm", *(["--keep-state"] if keep_state else []), builder.name)
    except MachineError as exc:
        # buildx removes the builder also if an engine does not answer.
        if buildx.nodes(builder.name) is not None:
            raise
        names = [f"{CONTAINER}{node.name}" for node in builder.nodes]
        containers, caches = " ".join(names), " ".join(f"{name}_state" for name in names)
        machines = " ".join(builder.machines)
        console.warn(
            f"{exc.cause}\nBuildKit's containers and caches may be left: {containers}\n"
            f"When all machines answer: machinectl docker {machines} -- rm -f {containers}; "
            f"machinectl docker {machines} -- volume rm -f {caches}"
        )


def no_such_builder(buildx: Buildx, name: str, known: list[str]) -> MachineError:
    if "/" not in name and buildx.nodes(name) is not None:
        return MachineError(
            f'machinectl did not make the builder "{name}"', f"Remove it: docker buildx rm {shlex.quote(name)}"
        )
    near = closest_match(name, known)
    hint = f"Did you mean: machinectl builder rm {near}" if near else "List the builders: machinectl builder ls"
    return MachineError(f'There is no builder "{name}"', hint)
