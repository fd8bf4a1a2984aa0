"""Bring docker's contexts in step with the machines, and register the engine of a context of somebody else's."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.docker_cli.contexts import Contexts
from machinectl.docker_cli.machine_contexts import (
    SyncStep,
    context_mark,
    context_statuses,
    remove_context,
    removed_context_notes,
    sync_context,
)
from machinectl.docker_cli.swarm_contexts import sync_swarm_contexts
from machinectl.engine.docker_context import ENDPOINT
from machinectl.errors import Hint, MachineError, closest_match

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from machinectl.console import Console
    from machinectl.docker_cli.machine_contexts import ContextStatus
    from machinectl.machines.store import Store


def sync_contexts(
    store: Store, console: Console, only: Collection[str] | None = None
) -> Iterator[tuple[ContextStatus, MachineError | None]]:
    """Yield each repaired context with its old status. Finishes a killed run first."""
    docker = Contexts()
    if docker.is_unfinished:
        with docker.writing():
            pass
    for status in context_statuses(docker, store):
        if only is not None and status.machine not in only:
            continue
        if status.step is SyncStep.RENAME:
            console.warn(f'"{status.machine}" gets no docker context: {status.why}', status.hint)
        if status.step is SyncStep.MEND:
            kept = "; the docker context stays as it was" if status.is_there else ""
            yield status, MachineError(f"{status.why}{kept}", status.hint)
        if not status.needs_sync:
            continue
        try:
            repair_context(docker, store, console, status)
        except MachineError as exc:
            yield status, exc
        else:
            yield status, None
    yield from sync_swarm_contexts(docker, store)


def repair_context(docker: Contexts, store: Store, console: Console, status: ContextStatus) -> None:
    if store.exists(status.machine):
        sync_context(docker, store, store.read(status.machine))
    else:
        remove_context(docker, store, status.machine)
    if status.step is SyncStep.REMOVE:
        for text, hint in removed_context_notes(docker, status.machine):
            console.warn(text, hint)


@dataclass(frozen=True)
class ContextSource:
    """`is_ours` is whether this store writes the context. Without TLS, `directory` is ""."""

    url: str
    directory: str
    is_ours: bool


def context_source(store: Store, name: str, machine: str) -> ContextSource:
    """Raise MachineError for a context that `create` cannot use."""
    docker = Contexts()
    context = docker.read(name)
    if context is None:
        near = closest_match(name, docker.names())
        raise MachineError(
            f'There is no docker context "{name}" in {docker.config}',
            Hint(f'Did you mean "{near}"?') if near else Hint("List the contexts", "docker context ls"),
        )
    if not context.host:
        raise MachineError(
            f'The docker context "{name}" has no host', Hint("Look at it", "docker context inspect", name)
        )
    if context.skips_verification:
        raise MachineError(
            f'The docker context "{name}" skips verification; machinectl accepts only certificates of one CA',
            Hint("Register it with its CA", "machinectl create -d none --tls-dir <DIR> --url", context.host, machine),
        )
    directory = os.path.join(docker.place("tls", name), ENDPOINT) if context.files else ""
    return ContextSource(context.host, directory, context.mark == context_mark(store, machine))
