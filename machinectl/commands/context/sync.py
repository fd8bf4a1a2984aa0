"""`context sync`: repair docker contexts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.docker_cli.contexts import Contexts
from machinectl.errors import MachineError
from machinectl.hosts.exports import swarm_contexts
from machinectl.hosts.exports.docker_contexts import (
    SyncStep,
    context_statuses,
    remove_context,
    removed_context_notes,
    sync_context,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from machinectl.console import Console
    from machinectl.hosts.exports.docker_contexts import ContextStatus
    from machinectl.machines.store import Store


def context_sync(
    store: Store, console: Console, only: Collection[str] | None = None
) -> Iterator[tuple[ContextStatus, MachineError | None]]:
    """Yield each repaired context with its old status.

    Finishes a killed run first. Takes over contexts of machines that are missing from another store: they may have
    moved here.
    """
    docker = Contexts()
    if docker.is_unfinished:
        with docker.writing():
            pass
    for found in context_statuses(docker, store, adopting=True):
        if only is not None and found.machine not in only:
            continue
        if found.step is SyncStep.RENAME:
            console.warn(f'"{found.machine}" gets no docker context: {found.why}\n{found.hint}')
        if found.step is SyncStep.MEND:
            kept = "; the docker context stays as it was" if found.is_there else ""
            yield found, MachineError(f"{found.why}{kept}", found.hint)
        if not found.needs_sync:
            continue
        try:
            repair_context(docker, store, console, found)
        except MachineError as exc:
            yield found, exc
        else:
            yield found, None
    yield from swarm_contexts.sync_swarm_contexts(docker, store)


def repair_context(docker: Contexts, store: Store, console: Console, found: ContextStatus) -> None:
    if store.exists(found.machine):
        sync_context(docker, store, store.read(found.machine), adopting=True)
    else:
        remove_context(docker, store, found.machine)
    if found.step is SyncStep.REMOVE:
        for text in removed_context_notes(docker, found.machine):
            console.warn(text)
