"""Keep a docker context NAME-swarm per swarm, for a working manager; and bring all contexts in step at once."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from machinectl.docker_cli.contexts import Context, Contexts, Mark
from machinectl.docker_cli.machine_contexts import (
    SYNC_HINT,
    ContextStatus,
    SyncStep,
    carry_out,
    client_files,
    context_mark,
    context_statuses,
    removed_context_notes,
    replace_hint,
    sync_context,
)
from machinectl.engine.docker_context import ENDPOINT, ContextError
from machinectl.errors import Hint, MachineError, closest_match
from machinectl.machines.swarm_node import all_nodes, node_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from machinectl.console import Console
    from machinectl.docker_cli.machine_contexts import Note
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store
    from machinectl.machines.swarm_node import SwarmNode

    Managers = list[tuple[Machine, SwarmNode]]

GONE = "its swarm has no manager here"


def context_name(managers: Managers) -> str:
    return f"{managers[0][1].swarm}-swarm"


def managers_by_swarm(store: Store) -> dict[str, Managers]:
    """Return managers by the ID of their swarm."""
    swarms: dict[str, Managers] = {}
    for machine, node in all_nodes(store):
        if node.manages and node.cluster and node.swarm and machine.context:
            swarms.setdefault(node.cluster, []).append((machine, node))
    return swarms


def own_contexts(docker: Contexts, store: Store) -> Iterator[tuple[str, str]]:
    """Yield the contexts that this store wrote for swarms, and the swarms' IDs."""
    for name in sorted(docker.names()):
        try:
            context = docker.read(name)
        except ContextError:
            continue
        mark = context.mark if context else None
        if mark and mark.swarm and mark.store == os.path.realpath(store.root):
            yield name, mark.swarm


def update_swarm_contexts(store: Store, before: Machine | None, after: Machine | None) -> list[Note]:
    """Update contexts after a machine has changed, without asking an engine; return notes."""
    nodes = [node for machine in (before, after) if machine and (node := node_of(machine))]
    docker = Contexts()
    notes: list[Note] = []
    for cluster in dict.fromkeys(node.cluster for node in nodes if node.cluster):
        managers = managers_by_swarm(store).get(cluster)
        if not managers:
            for status in remove_swarm_contexts(docker, store, cluster):
                notes += removed_context_notes(docker, status)
            continue
        context = docker.read(context_name(managers))
        # A manager that moved keeps its context.
        lead = after.name if before and after and context and context.host in before.urls else ""
        status = point_swarm_context(docker, store, cluster, lead)
        if status.step is SyncStep.RENAME:
            notes.append((status.why, status.hint))
    return notes


def point_swarm_context(docker: Contexts, store: Store, cluster: str, lead: str) -> ContextStatus:
    """Prefer the manager `lead`; return the previous status."""
    return carry_out(docker, lambda: swarm_context_status(docker, store, cluster, lead))


def remove_swarm_contexts(docker: Contexts, store: Store, cluster: str) -> list[ContextStatus]:
    """Remove the contexts of a swarm without managers; return their previous statuses."""

    def look(name: str) -> ContextStatus:
        step = SyncStep.NONE if cluster in managers_by_swarm(store) else SyncStep.REMOVE
        return ContextStatus(name, step, True, GONE)

    names = [name for name, swarm in own_contexts(docker, store) if swarm == cluster]
    return [carry_out(docker, partial(look, name)) for name in names]


def swarm_context_status(docker: Contexts, store: Store, cluster: str, lead: str = "") -> ContextStatus:
    """Compare a swarm's context with its managers: `lead`, else the current one."""
    swarms = managers_by_swarm(store)
    managers = swarms.get(cluster)
    if not managers:
        return ContextStatus("", SyncStep.NONE)
    name = context_name(managers)
    mark = Mark(os.path.realpath(store.root), name, cluster)
    context = docker.read(name)
    theirs = context.mark if context else None
    # That of an earlier swarm of this store may be replaced.
    is_earlier = bool(theirs and theirs.swarm and theirs.store == mark.store and theirs.swarm not in swarms)
    if context and theirs != mark and not is_earlier:
        why = f'the swarm gets no docker context: docker has a context "{name}" that is not the swarm\'s'
        return ContextStatus(name, SyncStep.RENAME, why=why, hint=replace_hint(name))
    machines = [machine for machine, _ in managers]
    current = [machine for machine in machines if context and context.host in machine.urls]
    leader = next((machine for machine in machines if machine.name == lead), [*current, *machines][0])
    wanted = (context or Context(name)).pointed(mark, leader.urls[0], client_files(leader, context))
    if wanted == context:
        return ContextStatus(name, SyncStep.NONE, is_there=True, wanted=wanted)
    why = "it does not point at a manager" if context else "it is missing"
    return ContextStatus(name, SyncStep.WRITE, context is not None, why, SYNC_HINT, wanted)


def swarm_context_statuses(docker: Contexts, store: Store) -> Iterator[ContextStatus]:
    """Ask no engines."""
    wanted = {context_name(managers): cluster for cluster, managers in managers_by_swarm(store).items()}
    for name, cluster in sorted(wanted.items()):
        try:
            yield swarm_context_status(docker, store, cluster)
        except MachineError as exc:
            yield ContextStatus(name, SyncStep.LEAVE, why=exc.cause, hint=exc.hint)
    for name, _ in own_contexts(docker, store):
        if name not in wanted:
            yield ContextStatus(name, SyncStep.REMOVE, True, GONE, SYNC_HINT)


def sync_swarm_contexts(
    docker: Contexts, store: Store, within: float | None = None
) -> Iterator[tuple[ContextStatus, MachineError | None]]:
    """Point contexts at managers that answer; yield changes and failures. `within`: see find_answering_manager."""
    from machinectl.swarm_nodes.managers import Manager, find_answering_manager

    swarms = managers_by_swarm(store)
    for cluster in {cluster for _, cluster in own_contexts(docker, store)}.difference(swarms):
        for status in remove_swarm_contexts(docker, store, cluster):
            yield status, None
    for cluster, managers in swarms.items():
        name = context_name(managers)
        try:
            context = docker.read(name)
            current = context.host if context else ""
            in_order = sorted((machine for machine, _ in managers), key=lambda machine: current not in machine.urls)
            answer = find_answering_manager(in_order, within)
            lead = answer.machine.name if isinstance(answer, Manager) else in_order[0].name
            status = point_swarm_context(docker, store, cluster, lead)
        except MachineError as exc:
            yield ContextStatus(name, SyncStep.LEAVE), exc
            continue
        if status.step is SyncStep.RENAME:
            yield status, MachineError(status.why, status.hint)
        elif status.step is SyncStep.WRITE:
            silence = "" if isinstance(answer, Manager) else ", and no manager of the swarm answers"
            why = f'it points at "{lead}"{silence}'
            yield ContextStatus(name, SyncStep.WRITE, True, why), None


def sync_contexts(
    store: Store, console: Console, only: Collection[str] | None = None
) -> Iterator[tuple[ContextStatus, MachineError | None]]:
    """Yield each repaired context with its old status. Finishes a killed run first."""
    docker = Contexts()
    if os.path.lexists(docker.staging):
        with docker.writing():
            pass
    for status in context_statuses(docker, store):
        name = status.machine
        if only is not None and name not in only:
            continue
        if status.step is SyncStep.RENAME:
            console.warn(f'"{name}" gets no docker context: {status.why}', status.hint)
        elif status.step is SyncStep.MEND:
            kept = "; the docker context stays as it was" if status.is_there else ""
            yield status, MachineError(f"{status.why}{kept}", status.hint)
        elif status.step in {SyncStep.WRITE, SyncStep.REMOVE}:
            try:
                for note in removed_context_notes(docker, sync_context(docker, store, name)):
                    console.warn(*note)
            except MachineError as exc:
                yield status, exc
            else:
                yield status, None
    yield from sync_swarm_contexts(docker, store)


def context_source(store: Store, name: str, machine: str) -> tuple[str, str, bool]:
    """Return the URL, the directory of certificates or "", and whether this store writes the context.

    Raises MachineError for a context that `create` cannot use.
    """
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
    return context.host, directory, context.mark == context_mark(store, machine)
