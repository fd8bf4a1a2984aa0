"""`builder rm`: remove a builder that machinectl made."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from machinectl.docker_cli.buildx import CONTAINER, NAME, Buildx
from machinectl.errors import MachineError, closest_match
from machinectl.hosts.exports.builders import find_builder, store_builders

if TYPE_CHECKING:
    from machinectl.console import Console
    from machinectl.machines.store import Store


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
            f"{exc.cause}\nBuildKit's containers and caches may be left: {containers}\n"
            f"When all machines answer: machinectl docker {machines} -- rm -f {containers}; "
            f"machinectl docker {machines} -- volume rm -f {caches}"
        )


def no_such_builder(store: Store, buildx: Buildx, name: str) -> MachineError:
    if NAME.fullmatch(name) and buildx.nodes(name) is not None:
        return MachineError(
            f'machinectl did not make the builder "{name}"', f"Remove it: docker buildx rm {shlex.quote(name)}"
        )
    near = closest_match(name, [builder.name for builder in store_builders(store, buildx)])
    hint = f"Did you mean: machinectl builder rm {near}" if near else "List the builders: machinectl builder ls"
    return MachineError(f'There is no builder "{name}"', hint)
