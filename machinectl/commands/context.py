"""`context`: docker contexts of machines."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.docker_cli import swarm_contexts
from machinectl.docker_cli.contexts import Contexts
from machinectl.docker_cli.machine_contexts import (
    SyncStep,
    context_mark,
    context_statuses,
    remove_context,
    removed_context_notes,
    sync_context,
)
from machinectl.engine.docker_context import DEFAULT, ENDPOINT, current_context
from machinectl.errors import Hint, MachineError, UsageError, closest_match
from machinectl.machines.record import is_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from machinectl.console import Console
    from machinectl.docker_cli.machine_contexts import ContextStatus
    from machinectl.machines.store import Store


@dataclass(frozen=True)
class ContextRow:
    """A machine, swarm or leftover context."""

    standing: ContextStatus
    current: bool

    def fields(self) -> dict[str, object]:
        """`Context` is null unless it is ours."""
        found = self.standing
        return {
            "Name": found.machine,
            "Context": found.machine if found.is_there else None,
            "Current": self.current,
            "InStep": found.is_in_sync,
            "Why": found.why,
        }

    def cells(self) -> list[str]:
        found = self.standing
        return [found.machine, found.machine if found.is_there else "-", "*" if self.current else "-", found.summary]


def context_ls(store: Store, environment: Mapping[str, str]) -> list[ContextRow]:
    """Return machines, then leftover contexts, then swarms."""
    docker = Contexts()
    current = current_context(docker.config, environment).name
    found = [*context_statuses(docker, store), *swarm_contexts.swarm_context_statuses(docker, store)]
    return [ContextRow(each, each.is_there and each.machine == current) for each in found]


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
            console.warn(f'"{found.machine}" gets no docker context: {found.why}', found.hint)
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
        for text, hint in removed_context_notes(docker, found.machine):
            console.warn(text, hint)


@dataclass(frozen=True)
class ContextSource:
    """`is_ours` is whether this store writes the context. Without TLS, `directory` is ""."""

    url: str
    directory: str
    is_ours: bool


def context_source(store: Store, context: str, machine: str) -> ContextSource:
    """Raise MachineError for a context that `create` cannot use."""
    if context == DEFAULT:
        raise MachineError(
            f'"{DEFAULT}" is not a stored context: it is the value of DOCKER_HOST',
            Hint("Register that engine", "machinectl create -d none --url <URL> <NAME>"),
        )
    if not is_name(machine):
        raise UsageError(
            f'"{machine}" cannot be the name of a machine: use only 0-9a-zA-Z . -',
            Hint("Give it another", "machinectl context import", context, "<NAME>"),
        )
    docker = Contexts()
    found = docker.read(context)
    if found is None:
        near = closest_match(context, docker.names())
        raise MachineError(
            f'There is no docker context "{context}" in {docker.config}',
            Hint(f'Did you mean "{near}"?') if near else Hint("List the contexts", "docker context ls"),
        )
    if not found.host:
        raise MachineError(
            f'The docker context "{context}" has no host',
            Hint("Look at it", "docker context inspect", context),
        )
    if found.skips_verification:
        raise MachineError(
            f'The docker context "{context}" skips verification; machinectl accepts only certificates of one CA',
            Hint(
                "Register it with that CA", "machinectl create -d none --url", found.host, "--tls-dir", "<DIR>", machine
            ),
        )
    directory = os.path.join(docker.place("tls", context), ENDPOINT) if found.files else ""
    return ContextSource(found.host, directory, found.mark == context_mark(store, machine))
