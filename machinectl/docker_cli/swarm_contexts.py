"""Keep a docker context NAME-swarm per swarm, for a working manager."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from machinectl.docker_cli.contexts import Context, Contexts, Mark
from machinectl.docker_cli.machine_contexts import (
    SYNC_HINT,
    ContextStatus,
    SyncStep,
    client_files,
    removed_context_notes,
    replace_hint,
)
from machinectl.engine.docker_context import ContextError
from machinectl.errors import MachineError
from machinectl.machines.swarm_node import all_nodes, node_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.docker_cli.machine_contexts import Note
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store
    from machinectl.machines.swarm_node import SwarmNode

    Managers = list[tuple[Machine, SwarmNode]]


def swarm_context_name(swarm: str) -> str:
    return f"{swarm}-swarm"


def managers_by_swarm(store: Store) -> dict[str, Managers]:
    found: dict[str, Managers] = {}
    for machine, node in all_nodes(store):
        if node.manages and node.cluster and node.swarm and machine.context:
            found.setdefault(node.cluster, []).append((machine, node))
    return found


def update_swarm_contexts(store: Store, before: Machine | None, after: Machine | None) -> list[Note]:
    """Update contexts after a machine has changed, without asking an engine; return notes."""
    nodes = [node for machine in (before, after) if machine and (node := node_of(machine))]
    docker = Contexts()
    said: list[Note] = []
    for cluster in dict.fromkeys(node.cluster for node in nodes if node.cluster):
        known = managers_by_swarm(store).get(cluster)
        if not known:
            said += remove_swarm_contexts(docker, store, cluster)
            continue
        context = docker.read(swarm_context_name(known[0][1].swarm))
        # A manager that moved keeps its context.
        lead = after.name if before and after and context and context.host in before.urls else ""
        changed = point_swarm_context(docker, store, cluster, lead)
        if changed.step is SyncStep.RENAME:
            said.append((no_context_cause(known, changed), changed.hint))
    return said


def no_context_cause(known: Managers, status: ContextStatus) -> str:
    return f'the swarm "{known[0][1].swarm}" gets no docker context: {status.why}'


def point_swarm_context(docker: Contexts, store: Store, cluster: str, lead: str) -> ContextStatus:
    """Prefer the manager `lead`; return the previous status."""
    status = swarm_context_status(docker, store, cluster, lead)
    if status.step is SyncStep.WRITE:
        with docker.writing():
            # Read again under the lock: a machine that has left meanwhile must not return with its keys.
            status = swarm_context_status(docker, store, cluster, lead)
            if status.wanted and status.step is SyncStep.WRITE:
                docker.put(status.wanted)
    return status


def swarm_context_status(docker: Contexts, store: Store, cluster: str, lead: str = "") -> ContextStatus:
    """Compare a swarm's context with its managers: `lead`, else the current one."""
    known = managers_by_swarm(store).get(cluster)
    if not known:
        return ContextStatus("", SyncStep.NONE)
    name = swarm_context_name(known[0][1].swarm)
    mark = Mark(os.path.realpath(store.root), name, cluster)
    found = docker.read(name)
    if found and found.mark != mark and not is_earlier(store, found):
        why = f'docker has a context "{name}" that is not the swarm\'s'
        return ContextStatus(name, SyncStep.RENAME, why=why, hint=replace_hint(name))
    preferred = [machine for machine, _ in known if machine.name == lead]
    current = [machine for machine, _ in known if found and found.host in machine.urls]
    leader = [*preferred, *current, known[0][0]][0]
    wanted = (found or Context(name)).pointed(mark, leader.urls[0], client_files(leader, found))
    if wanted == found:
        return ContextStatus(name, SyncStep.NONE, is_there=True, wanted=wanted)
    why = "it does not point at a manager" if found else "it is missing"
    return ContextStatus(name, SyncStep.WRITE, found is not None, why, SYNC_HINT, wanted)


def is_earlier(store: Store, context: Context) -> bool:
    """Return whether its swarm, once this store's, has no managers left."""
    mark = context.mark
    if mark is None or not mark.swarm or mark.store != os.path.realpath(store.root):
        return False
    return mark.swarm not in managers_by_swarm(store)


def remove_swarm_contexts(docker: Contexts, store: Store, cluster: str) -> list[Note]:
    said: list[Note] = []
    for name in swarm_context_names(docker, store, cluster):
        with docker.writing():
            if cluster in managers_by_swarm(store):
                return said
            docker.remove(name)
        said += removed_context_notes(docker, name)
    return said


def swarm_context_names(docker: Contexts, store: Store, cluster: str = "") -> list[str]:
    found = []
    for name in sorted(docker.names()):
        try:
            context = docker.read(name)
        except ContextError:
            continue
        mark = context.mark if context else None
        ours = mark and mark.swarm and mark.store == os.path.realpath(store.root)
        if mark and ours and (not cluster or mark.swarm == cluster):
            found.append(name)
    return found


def swarm_context_statuses(docker: Contexts, store: Store) -> Iterator[ContextStatus]:
    """Ask no engines."""
    wanted = {swarm_context_name(known[0][1].swarm): cluster for cluster, known in managers_by_swarm(store).items()}
    for name, cluster in sorted(wanted.items()):
        try:
            yield swarm_context_status(docker, store, cluster)
        except MachineError as exc:
            yield ContextStatus(name, SyncStep.LEAVE, why=exc.cause, hint=exc.hint)
    for name in swarm_context_names(docker, store):
        if name not in wanted:
            yield ContextStatus(name, SyncStep.REMOVE, True, "its swarm has no manager here", SYNC_HINT)


def sync_swarm_contexts(
    docker: Contexts, store: Store, within: float | None = None
) -> Iterator[tuple[ContextStatus, MachineError | None]]:
    """Point contexts at managers that answer; yield changes and failures. `within`: see find_answering_manager."""
    there = managers_by_swarm(store)
    for name in swarm_context_names(docker, store):
        context = docker.read(name)
        if context and context.mark and context.mark.swarm not in there:
            remove_swarm_contexts(docker, store, context.mark.swarm)
            yield ContextStatus(name, SyncStep.REMOVE, True, "its swarm has no manager here"), None
    for cluster, known in there.items():
        name = swarm_context_name(known[0][1].swarm)
        try:
            lead, answers = choose_context_manager(docker.read(name), known, within)
            changed = point_swarm_context(docker, store, cluster, lead)
            if changed.step is SyncStep.RENAME:
                yield changed, MachineError(no_context_cause(known, changed), changed.hint)
            elif changed.step is SyncStep.WRITE:
                why = f'it points at "{lead}"' + ("" if answers else ", and no manager of the swarm answers")
                yield ContextStatus(name, SyncStep.WRITE, True, why), None
        except MachineError as exc:
            yield ContextStatus(name, SyncStep.LEAVE), exc


def choose_context_manager(
    context: Context | None, known: Sequence[tuple[Machine, SwarmNode]], within: float | None
) -> tuple[str, bool]:
    """Prefer the current manager; also return whether one answers."""
    from machinectl.swarm_nodes.managers import Manager, find_answering_manager

    led = context.host if context else ""
    in_order = sorted((machine for machine, _ in known), key=lambda machine: led not in machine.urls)
    found = find_answering_manager(in_order, within)
    return (found.machine.name, True) if isinstance(found, Manager) else (in_order[0].name, False)
