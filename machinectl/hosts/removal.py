"""Forget machines, and undo the changes on their hosts if requested.

Otherwise a changed host keeps its record.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from machinectl.console import confirm, decline
from machinectl.driver.installed_drivers import load
from machinectl.errors import NO_HINT, Hint, MachineError
from machinectl.features import functions
from machinectl.hosts.parallel import run_at_once
from machinectl.machines.holders import EXPIRES, is_suspended, valid_holders
from machinectl.machines.jump_hosts import behind, outermost_first
from machinectl.machines.machine_driver import driver_instance
from machinectl.machines.record import GRANTED, BrokenRecord, natural, owner_of
from machinectl.machines.selection import require_names, waiting
from machinectl.machines.store.store_directory import check_store_writable, sweep
from machinectl.machines.store.store_paths import now
from machinectl.machines.swarm_node import node_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from machinectl.console import Console
    from machinectl.hosts.host_plan import HostPlan
    from machinectl.hosts.purging import Purge
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store


def remove_machines(
    store: Store,
    console: Console,
    names: Sequence[str],
    *,
    force: bool,
    yes: bool,
    purge: Purge | None = None,
    forget: bool = False,
) -> Iterator[tuple[str, MachineError | None]]:
    """With `forget`, drop the record of changes that stay."""
    require_names(names, "rm")
    others = behind(store.readable())
    known = [name for name in names if is_removable(store, name, force=force)]
    if not force:
        known = [name for name in known if set(names).issuperset(others.get(name, ()))]
    if known:
        check_store_writable(store)
    for name in known:
        warn_of_swarm(store, console, name)
        warn_of_access(store, console, name, asks=not (force or yes), undoes=bool(purge))
    if known and not (force or yes):
        options = [*(["--forget"] if forget else []), *(purge.options if purge else [])]
        unasked = " ".join(["machinectl rm -y", *options, *known])
        if not confirm_removal(store, console, known, purge, unasked, forget=forget):
            decline(console, "Nothing was removed")
            return

    def one(name: str, console: Console) -> None:
        try:
            check_not_jump_host(store, console, name, others.get(name, ()), force=force)
            remove_machine(store, console, name, force=force, purge=purge, forget=forget)
        except MachineError as exc:
            error = MachineError(f'Error removing host "{name}": {exc.cause}', exc.hint, mistyped=exc.mistyped)
            error.more, error.unexplained, error.label = exc.more, exc.unexplained, ""
            raise error from exc

    # Undoing changes on a host needs its jump host.
    for group in outermost_first(names, others):
        yield from run_at_once(console, group, one)


def is_removable(store: Store, name: str, *, force: bool) -> bool:
    """Decide whether to ask; other machines are refused anyway."""
    if not store.exists(name):
        return store.removed.exists(name)
    try:
        store.read(name)
    except MachineError:
        return force and not store.is_docker_machines(name)
    return True


def plan_removal(
    store: Store,
    console: Console,
    names: Sequence[str],
    *,
    purge: Purge | None = None,
    forget: bool = False,
) -> Iterator[tuple[str, HostPlan | MachineError]]:
    require_names(names, "rm --dry-run")
    others = behind(store.readable())

    def one(name: str, console: Console) -> HostPlan:
        from machinectl.hosts.host_plan import HostPlan, Outcome
        from machinectl.provision.host_changes import PackageInstalled, of_kind

        machine = known_machine(store, name, removed=bool(purge or forget))
        check_not_jump_host(store, console, name, set(others.get(name, ())).difference(names), force=False)
        outcomes = purge.preview(store, machine, console) if purge and machine.changes else []
        if purge:
            outcomes[:0] = [Outcome(f"Removing {what}", changed=True) for what in features_files(store, name)]
        if machine.made:
            outcomes.append(Outcome(f"Letting driver {machine.driver} give back what it made", changed=True))
        forgotten = "the certificates here and what is known of the host"
        engine_stays = purge and not purge.engine and of_kind(machine.changes, PackageInstalled)
        if is_changed(machine) and (engine_stays or not (purge or forget)):
            forgotten = Hint("what undoes the set-up of the host is kept", "machinectl ls --removed")
        outcomes.append(Outcome(f"Forgetting {name}", changed=True, details=(forgotten,)))
        return HostPlan(outcomes=tuple(outcomes))

    yield from run_at_once(console, names, one)


def confirm_removal(
    store: Store, console: Console, names: Sequence[str], purge: Purge | None, unasked: str, *, forget: bool = False
) -> bool:
    """Explain the removal, and ask; `unasked` is the command that does not ask."""
    machines = []
    for name in names:
        with suppress(MachineError):
            machines.append(known_machine(store, name, removed=True))
    changed = ", ".join(machine.name for machine in machines if is_changed(machine))
    made = ", ".join(machine.name for machine in machines if machine.made)
    live = ", ".join(filter(store.exists, names))
    effects = [f"docker no longer reaches {live} from here"] if live else []
    if changed and purge:
        effects.append(f"the set-up of {changed} is undone; containers and images stay")
        effects += ["engines are removed, which stops the containers"] * purge.engine
        effects += [f"{what} are removed" for machine in machines for what in features_files(store, machine.name)]
    elif changed:
        effects.append(f"the set-up of {changed} stays, and {'nothing' if forget else 'a record'} is kept to undo it")
    else:
        effects.append("no host is changed")
    if made:
        effects.append(f"the driver deletes the hosts that it made, with all their data: {made}")
    console.note(f"About to remove {', '.join(names)}: {'; '.join(effects)}.")
    return confirm(console, "Are you sure?", unasked)


def warn_of_swarm(store: Store, console: Console, name: str) -> None:
    machine = store.read_or_none(name)
    if machine and (node := node_of(machine)):
        console.warn(
            f'"{name}" is a {node.role} of the swarm "{node.swarm}" and stays in its list of nodes',
            Hint("Let it leave first", "machinectl swarm leave", name),
        )


def warn_of_access(store: Store, console: Console, name: str, *, asks: bool, undoes: bool) -> None:
    """Say whose certificates stay valid, and whose access ends as the set-up of the host is undone."""
    machine = store.read_or_none(name)
    if machine is None:
        return
    if machine.access.get("state") == GRANTED:
        # It loads cryptography.
        from machinectl.machines.holders import whom_to_ask

        if error := whom_to_ask(machine):
            console.warn(f'Only {owner_of(machine)} can end your access to the engine of "{name}"', error.hint)
    holders = [] if is_suspended(machine) else valid_holders(machine, now())
    endable = [holder.who for holder in holders if holder.state != EXPIRES]
    if endable and undoes and machine.has_changes:
        console.warn(f'The access of {", ".join(endable)} to the host of "{name}" ends with its set-up')
    elif holders:
        until = max(key.until for holder in holders for key in holder.keys)
        console.warn(
            f'{", ".join(holder.who for holder in holders)} will still have access to the host of "{name}", '
            f"until {until[:16].replace('T', ' ')} UTC",
            Hint("End it first", "machinectl access end", endable[0], name) if asks and endable else NO_HINT,
        )


def features_files(store: Store, name: str) -> list[str]:
    """Return what features have on the host, in words."""
    place = store.removed if is_only_removed(store, name) else store
    return [what for list_files in functions("files_on_host") for what in list_files(place, name)]


def remove_features_files(held: Held, console: Console, *, force: bool) -> None:
    place = held.store.removed if held.is_removed else held.store
    for remove in functions("remove_files"):
        try:
            remove(place, held.name)
        except MachineError as exc:
            if not force:
                raise
            console.warn(f"{exc.cause}; what is on the host stays there")


def known_machine(store: Store, name: str, *, removed: bool) -> Machine:
    return (store.removed if is_only_removed(store, name) and removed else store).read(name)


def is_only_removed(store: Store, name: str) -> bool:
    return not store.exists(name) and store.removed.exists(name)


def remove_machine(
    store: Store, console: Console, name: str, *, force: bool = False, purge: Purge | None, forget: bool = False
) -> None:
    """With `force`, forget broken records, too. `purge` and `forget` also work on removed machines."""
    again = bool(purge or forget) and is_only_removed(store, name)
    if not again:
        store.check_exists(name)
    with store.writing(name, waiting(console, name), removed=again) as held:
        if again and not purge:
            held.remove()
        else:
            remove_held(held, console, force=force, purge=purge, forget=forget)
    sweep(store)


def remove_held(held: Held, console: Console, *, force: bool, purge: Purge | None, forget: bool) -> None:
    """Undo the host's changes, delete a host that the driver made, then remove the record."""
    store, name = held.store, held.name
    try:
        machine = held.machine
    except BrokenRecord:
        if not force or store.is_docker_machines(name):
            raise
        held.remove()
        return
    if purge:
        remove_features_files(held, console, force=force)
    if purge and machine.changes:
        purge.purge_host(held, console, force=force)
    try:
        if machine.made:
            load(machine.driver).remove(driver_instance(machine))
    except MachineError as exc:
        if not force:
            raise
        console.warn(f"{exc.cause}; forgetting {machine.name} anyway")
    if forget or not is_changed(machine):
        held.remove()
        return
    from machinectl.hosts.host_owner import is_engine_alone

    kept, engine_alone = held.set_aside(), is_engine_alone(machine)
    changes, forgetting = change_summary(machine), Hint("forget it", "machinectl rm --forget", kept)
    if engine_alone:
        console.note(
            f'The engine stays on the host of "{name}": machinectl installed {changes}',
            Hint("Remove the engine, too", "machinectl rm --purge-engine", kept) | forgetting,
        )
    else:
        console.note(
            f'The host of "{name}" stays set up: {changes}',
            Hint("Undo it", "machinectl rm --purge", kept) | forgetting | Hint("or set the host up again with create"),
        )


def check_not_jump_host(store: Store, console: Console, name: str, others: Iterable[str], *, force: bool) -> None:
    """Refuse to forget a jump host in use; with `force`, warn."""
    # Those that this command has removed meanwhile count no more.
    others = sorted(set(others).intersection(behind(store.readable()).get(name, ()) if others else ()), key=natural)
    if not others:
        return
    cause = f"it is the jump host of {', '.join(others)}"
    hint = Hint("Remove its jump host", "; ".join(f"machinectl set --ssh-jump none {other}" for other in others))
    if not force:
        raise MachineError(cause, hint | Hint("or remove it anyway", "machinectl rm -f", name))
    console.warn(f'"{name}" is removed, but {cause}', hint)


def is_changed(machine: Machine) -> bool:
    return not machine.made and bool(machine.changes)


def change_summary(machine: Machine) -> str:
    from machinectl.provision.host_changes import CaTrusted, DirectoryCreated, GroupJoined, UnknownChange

    found = [
        f"{change.user} in the group {change.group}" if isinstance(change, GroupJoined) else change.about
        for change in machine.changes
        if not isinstance(change, (CaTrusted, DirectoryCreated, UnknownChange))
    ]
    return ", ".join(found) or machine.url
