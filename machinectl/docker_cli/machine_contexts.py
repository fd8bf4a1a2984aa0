"""Keep a docker context for each machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from machinectl.docker_cli.contexts import Context, Contexts, Mark, invalid_name_reason
from machinectl.engine.docker_context import DEFAULT, ContextError, chosen_context
from machinectl.errors import NO_HINT, Hint, MachineError, one_line, quoted
from machinectl.files.fileset import read_regular_file
from machinectl.hosts.identity import CLIENT_FILES
from machinectl.machines.record import Phase
from machinectl.machines.store import Store
from machinectl.machines.tls_warnings import repair_hint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from machinectl.machines.record import Machine

    # A warning, and what to type.
    Note = tuple[str, Hint]

SYNC_HINT = Hint("Update it", "machinectl context sync")


class SyncStep(Enum):
    NONE = auto()
    WRITE = auto()
    REMOVE = auto()
    # Nothing for now: the machine is not ready for a context.
    LEAVE = auto()
    # The machine's certificates must be mended first.
    MEND = auto()
    # The user must rename: docker refuses the machine's name, or has someone else's context of that name.
    RENAME = auto()


@dataclass(frozen=True)
class ContextStatus:
    """`is_there`: our context exists. `why` and `hint` explain a mismatch; `wanted` is the correct context."""

    machine: str
    step: SyncStep
    is_there: bool = False
    why: str = ""
    hint: Hint = NO_HINT
    wanted: Context | None = None
    # Whether the machine should have a context.
    is_wanted: bool = True

    @property
    def is_in_sync(self) -> bool:
        return self.step is SyncStep.NONE

    @property
    def summary(self) -> str:
        return self.why or "in step"

    @property
    def outcome(self) -> str:
        return f"{'written' if self.step is SyncStep.WRITE else 'removed'} ({self.why})"


def context_mark(store: Store, name: str) -> Mark:
    return Mark(os.path.realpath(store.root), name)


def context_status(docker: Contexts, store: Store, machine: Machine) -> ContextStatus:
    """Compare a machine's context, also one whose own store has no such machine any more: it may have moved here."""
    name = machine.name
    try:
        found = docker.read(name)
    except ContextError as exc:
        step = SyncStep.RENAME if machine.context else SyncStep.NONE
        return ContextStatus(name, step, why=exc.cause, hint=replace_hint(name))
    mark = context_mark(store, name)
    ours = found is not None and (found.mark == mark or is_gone(found.mark))
    if not machine.context:
        step = SyncStep.REMOVE if ours else SyncStep.NONE
        add = Hint("Add it", "machinectl set --context", name)
        return ContextStatus(name, step, ours, "not wanted (--no-context)", add, is_wanted=False)
    if machine.phase != Phase.READY:
        hint = Hint("See", "machinectl ls --filter", f"name={name}")
        return ContextStatus(name, SyncStep.LEAVE, ours, "the machine is incomplete", hint)
    if no_name := invalid_name_reason(name):
        none = Hint("or use no context", "machinectl set --no-context", name)
        hint = Hint("Rename it", "machinectl rename", name, "<NEW>") | none
        return ContextStatus(name, SyncStep.RENAME, why=no_name, hint=hint)
    if found and not ours:
        return name_conflict(found)
    try:
        files = client_files(machine, found)
    except MachineError as exc:
        return ContextStatus(name, SyncStep.MEND, ours, exc.cause, exc.hint)
    wanted = (found or Context(name)).pointed(mark, machine.urls[0], files)
    if found == wanted:
        return ContextStatus(name, SyncStep.NONE, ours, wanted=wanted)
    return ContextStatus(name, SyncStep.WRITE, ours, context_difference(found, wanted), SYNC_HINT, wanted)


def client_files(machine: Machine, found: Context | None) -> dict[str, bytes]:
    """Raise MachineError if a certificate is missing, or would replace that of the context by one that is damaged."""
    names = CLIENT_FILES if machine.tls else ()
    try:
        files = {name: read_regular_file(os.path.join(machine.directory, name)) for name in names}
        if files and not (found and found.files == files):
            from machinectl import certs

            certs.check_client_files(files)
    except MachineError as exc:
        cause = f"its certificates cannot be used: {exc.cause}"
        raise MachineError(cause, repair_hint(machine)) from exc
    return files


def replace_hint(name: str, how: str = "Replace it with ours") -> Hint:
    return Hint(how, f"docker context rm {quoted(name)} && machinectl context sync")


def is_gone(mark: Mark | None) -> bool:
    return bool(mark and not mark.swarm and not Store(mark.store).exists(mark.machine))


def name_conflict(context: Context) -> ContextStatus:
    name, mark = context.name, context.mark
    owner = "belongs to a swarm" if mark and mark.swarm else "is not machinectl's"
    if mark and not mark.swarm:
        owner = f"belongs to a machine of another store, {one_line(mark.store)}"
    hint = Hint("Use another name", "machinectl rename", name, "<NEW>")
    hint |= replace_hint(name, "or replace that context")
    return ContextStatus(name, SyncStep.RENAME, why=f'docker has a context "{name}" that {owner}', hint=hint)


def context_difference(context: Context | None, wanted: Context) -> str:
    if context is None:
        return "it is missing"
    if context.host != wanted.host:
        return f"it leads to {one_line(context.host) or 'nowhere'}"
    if context.files != wanted.files:
        return "its certificates are not the machine's"
    return "it does not verify the engine, or belongs to another store, where its machine no longer exists"


def context_statuses(docker: Contexts, store: Store) -> Iterator[ContextStatus]:
    """Yield machines' contexts, then orphaned ones."""
    for name in store.names():
        try:
            yield context_status(docker, store, store.read(name))
        except MachineError as exc:
            yield ContextStatus(name, SyncStep.LEAVE, has_own_context(docker, store, name), exc.cause, exc.hint)
    for name in sorted(set(docker.names()).difference(store.names())):
        if has_own_context(docker, store, name):
            yield orphan_status(docker, store, name)


def orphan_status(docker: Contexts, store: Store, name: str) -> ContextStatus:
    """Tell the context of a machine that is gone from none."""
    # On a file system that ignores case, only the list of names distinguishes "a" and "A".
    if has_own_context(docker, store, name) and name not in store.names():
        return ContextStatus(name, SyncStep.REMOVE, True, "its machine is gone", SYNC_HINT)
    return ContextStatus(name, SyncStep.NONE)


def carry_out(docker: Contexts, look: Callable[[], ContextStatus]) -> ContextStatus:
    """Write or remove a context; return its previous status. Raises MachineError."""
    status = look()
    if status.step in {SyncStep.WRITE, SyncStep.REMOVE}:
        with docker.writing():
            # Look again under the lock: any later change updates the context afterwards.
            status = look()
            if status.step is SyncStep.WRITE and status.wanted:
                docker.put(status.wanted)
            elif status.step is SyncStep.REMOVE:
                docker.remove(status.machine)
    return status


def sync_context(docker: Contexts, store: Store, name: str) -> ContextStatus:
    """Return the previous status. Raises MachineError."""
    if not store.exists(name):
        return carry_out(docker, lambda: orphan_status(docker, store, name))
    return carry_out(docker, lambda: context_status(docker, store, store.read(name)))


def has_own_context(docker: Contexts, store: Store, name: str) -> bool:
    """Return whether this store wrote it; False if unreadable."""
    try:
        context = docker.read(name)
    except ContextError:
        return False
    return context is not None and context.mark == context_mark(store, name)


def update_contexts(store: Store, name: str, before: Machine | None, after: Machine | None) -> list[Note]:
    """Update contexts after a machine has changed (`Store`'s Follower); return notes. `name` is the old name."""
    docker = Contexts()
    notes: list[Note] = []
    if not after or after.name != name:
        gone = carry_out(docker, lambda: orphan_status(docker, store, name))
        notes += removed_context_notes(docker, gone, after.name if after else "")
    if after:
        status = sync_context(docker, store, after.name)
        notes += removed_context_notes(docker, status)
        had_none = not (before and before.name == after.name and before.context and before.phase == Phase.READY)
        if status.step is SyncStep.RENAME and had_none:
            notes.append((f'"{after.name}" gets no docker context: {status.why}', status.hint))
    return notes


def removed_context_notes(docker: Contexts, status: ContextStatus, renamed: str = "") -> list[Note]:
    """If docker still uses a removed context, every docker command fails."""
    name = status.machine
    if status.step is not SyncStep.REMOVE:
        return []
    if chosen_context(docker.config) == name:
        other = renamed if renamed and not invalid_name_reason(renamed) else DEFAULT
        use = Hint("Use another", "docker context use", other)
        return [(f'docker was pointed at the context "{name}", which is gone', use)]
    if os.environ.get("DOCKER_CONTEXT") == name:
        return [(f'DOCKER_CONTEXT names the context "{name}", which is gone', Hint("", "unset DOCKER_CONTEXT"))]
    return []


def ways_to_use(store: Store, machine: Machine) -> Hint | None:
    """Return the command that uses a machine's context; an empty hint if it is not in step; None if there is none."""
    status = context_status(Contexts(), store, machine)
    if status.step in {SyncStep.LEAVE, SyncStep.MEND}:
        return NO_HINT
    return Hint("", f"docker --context {machine.name} ps") if status.is_there else None
