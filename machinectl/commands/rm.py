"""`rm`: remove machines; restore their hosts only with --purge."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from machinectl.console import decline
from machinectl.errors import Hint, MachineError
from machinectl.hosts.removal import (
    check_not_jump_host,
    confirm_removal,
    is_changed,
    known_machine,
    remove_machine,
    warn_of_holders,
    warn_of_swarm,
)
from machinectl.hosts.workers import run_at_once
from machinectl.machines.jump_order import behind, keep_jump_hosts, outermost_first
from machinectl.machines.record import GRANTED, owner_of
from machinectl.machines.selection import require_names
from machinectl.machines.store.machine_store import read_or_none
from machinectl.machines.store.removed_machines import is_known
from machinectl.machines.store.store_directory import check_store_writable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.console import Console
    from machinectl.hosts.host_plan import HostPlan
    from machinectl.hosts.removal import Purge
    from machinectl.machines.store import Store


def rm(
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
    keep_jump_hosts(store, console)
    others = behind(store)
    known = [name for name in names if is_removable(store, name, force=force)]
    if not force:
        known = [name for name in known if set(names).issuperset(others.get(name, ()))]
    if known:
        check_store_writable(store)
    for name in known:
        warn_of_swarm(store, console, name)
        warn_of_owner(store, console, name)
        warn_of_holders(store, console, name, asks=not (force or yes), undoes=bool(purge))
    if known and not (force or yes):
        options = [*(["--forget"] if forget else []), *(purge.options if purge else [])]
        unasked = " ".join(["machinectl rm -y", *options, *known])
        if not confirm_removal(store, console, known, purge, unasked, forget=forget):
            decline(console, "Nothing was removed")
            return

    purge = purge and replace(purge, unasked=force or yes)

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


def warn_of_owner(store: Store, console: Console, name: str) -> None:
    """Say that access which somebody else granted does not end."""
    machine = read_or_none(store.read, name)
    if not machine or machine.access.get("state") != GRANTED:
        return
    # It loads cryptography.
    from machinectl.machines.own_access import whom_to_ask

    if error := whom_to_ask(machine):
        console.warn(f'Only {owner_of(machine)} can end your access to the engine of "{name}"', error.hint)


def is_removable(store: Store, name: str, *, force: bool) -> bool:
    """Decide whether to ask; other machines are refused anyway."""
    if not store.exists(name):
        return is_known(store, name)
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
    others = behind(store)

    def one(name: str, console: Console) -> HostPlan:
        from machinectl.hosts.host_plan import HostPlan, Outcome
        from machinectl.provision.host_changes import PackageInstalled, of_kind

        machine = known_machine(store, name, removed=bool(purge or forget))
        check_not_jump_host(store, console, name, set(others.get(name, ())).difference(names), force=False)
        outcomes = purge.preview(store, machine, console) if purge and machine.changes else []
        if machine.made:
            outcomes.append(Outcome(f"Letting driver {machine.driver} give back what it made", changed=True))
        forgotten = "the certificates here and what is known of the host"
        engine_stays = purge and not purge.engine and of_kind(machine.changes, PackageInstalled)
        if is_changed(machine) and (engine_stays or not (purge or forget)):
            forgotten = Hint("what undoes the set-up of the host is kept", "machinectl ls --removed")
        outcomes.append(Outcome(f"Forgetting {name}", changed=True, details=(forgotten,)))
        return HostPlan(outcomes=tuple(outcomes))

    yield from run_at_once(console, names, one)
