"""How machines are forgotten, and their hosts put back as they were before, where that is asked.

Of a machine whose host stays changed, what undoing that takes is kept, apart, until it is undone or to be forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from machinectl.console import confirm_or_hint
from machinectl.driver.installed_drivers import load
from machinectl.errors import MachineError
from machinectl.hosts.connection.machine_driver import driver_instance
from machinectl.machines.docker_machine.origin import maker
from machinectl.machines.jump_order import gate_of
from machinectl.machines.record import BrokenRecord
from machinectl.machines.selection import waiting
from machinectl.machines.store.held_removed import HeldRemoved, read_removed
from machinectl.machines.store.removed_machines import is_known
from machinectl.machines.store.store_directory import sweep
from machinectl.machines.swarm_node import node_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from machinectl.console import Console
    from machinectl.hosts.connection.login import Access
    from machinectl.hosts.lifecycle.host_plan import Outcome
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store
    from machinectl.provision.target import Allowed


@dataclass(frozen=True)
class Purge:
    """Undo on the hosts what provisioning changed, too; with `engine` the engine's package goes as well."""

    access: Access
    allowed: Allowed
    engine: bool = False

    @property
    def options(self) -> list[str]:
        """What asks for it on the command line."""
        purge = "--purge-engine" if self.engine else "--purge"
        return [purge, "--restart-swarm"] if self.allowed.restart_swarm else [purge]


def confirmed(
    store: Store, console: Console, names: Sequence[str], purge: Purge | None, unasked: str, *, forget: bool = False
) -> bool:
    """Whether the person wants machines removed, who is told what that means; `unasked` is the command without it."""
    host = "the host is left as it is"
    if any(is_to_be_kept(store, name) for name in names):
        host = "what was set up on the host stays there"
        host += ", and nothing is kept to undo it with" if forget else ", and what undoes it is kept apart"
    if purge:
        host = "what was set up on the host is undone, and its containers and images stay"
        if purge.engine:
            host += "; its engine is removed, so that containers end"
    if made := [name for name in names if is_made(store, name)]:
        host += f"; what its driver made for {', '.join(made)} is given back: that host ends, with all that is on it"
    if theirs := [f"{name} (by {driver})" for name in names if (driver := maker_of(store, name))]:
        host += f"; what docker-machine made for {', '.join(theirs)} goes on there, and is yours to end"
    console.note(f"About to remove {', '.join(names)}: docker is not pointed there any more; {host}.")
    return confirm_or_hint(console, "Are you sure?", unasked)


def told_of_swarm(store: Store, console: Console, name: str) -> None:
    """Say of a machine that is a node of a swarm that it stays one, and what to type first."""
    try:
        node = node_of(store.read(name))
    except MachineError:
        node = None
    if node:
        console.warn(
            f'"{name}" is a {node.role} of the swarm "{node.swarm}" and stays one, listed there\n'
            f"Have it leave first: machinectl swarm leave {name}"
        )


def asked_about(store: Store, name: str, *, removed: bool) -> Machine:
    """The machine of a name, or with `removed` the one that was removed under it. Raises MachineError."""
    if removed and not store.exists(name) and is_known(store, name):
        return read_removed(store, name)
    return store.read(name)


def is_to_be_kept(store: Store, name: str) -> bool:
    try:
        return is_changed(asked_about(store, name, removed=True))
    except MachineError:
        return False


def is_made(store: Store, name: str) -> bool:
    """Whether a machine's host was made by its driver, and ends with it."""
    try:
        return store.read(name).made
    except MachineError:
        return False


def maker_of(store: Store, name: str) -> str:
    """docker-machine's driver that made a machine's host, "" where none did."""
    try:
        return maker(store.read(name).origin)
    except MachineError:
        return ""


def remove(
    store: Store, console: Console, name: str, *, force: bool = False, purge: Purge | None, forget: bool = False
) -> None:
    """Forget one machine; with `force` also one whose record is broken. docker-machine's own are never touched.

    One that was removed before is put back or forgotten for good, where that is asked.
    """
    again = (purge or forget) and not store.exists(name) and is_known(store, name)
    if not again:
        store.check_exists(name)
    writing = partial(HeldRemoved, store) if again else store.writing
    with writing(name, waiting(console, name)) as held:
        if again and not purge:
            held.remove()
        else:
            leave(held, console, force=force, purge=purge, forget=forget)
    sweep(store)


def leave(held: Held, console: Console, *, force: bool, purge: Purge | None, forget: bool) -> None:
    """Take one machine out of the store, when its host was put back and its driver has given back what it made."""
    store, name = held.store, held.name
    try:
        machine = held.machine
    except BrokenRecord:
        if not force or store.is_docker_machines(name):
            raise
        held.remove()
        return
    if purge:
        put_back(held, console, purge, force=force)
    give_back(console, machine, force=force)
    if forget or not is_changed(machine):
        held.remove()
        return
    from machinectl.host_changes import PackageInstalled

    kept = held.set_aside()
    # What a purge leaves, as it was told to.
    engine_alone = all(isinstance(change, PackageInstalled) for change in machine.changes)
    console.note(
        f'What was set up on the host of "{name}" stays there: {told(machine)}\n'
        f"Undo it: machinectl rm {'--purge-engine' if engine_alone else '--purge'} {kept}; "
        f"forget how: machinectl rm --forget {kept}{'' if engine_alone else '; or take the host on again with create'}"
    )


def check_nobody_behind(store: Store, console: Console, name: str, others: Iterable[str], *, force: bool) -> None:
    """Refuse to forget the jump host of those of `others` that are there yet; with `force` say whose it was."""
    others = [other for other in others if gate_of(store, other) == name]
    if not others:
        return
    cause = f"the SSH of {', '.join(others)} goes through it"
    hint = f"Have it go another way: {'; '.join(f'machinectl set --ssh-jump none {other}' for other in others)}"
    if not force:
        raise MachineError(cause, f"{hint}\nOr remove it all the same: machinectl rm -f {name}")
    console.warn(f'"{name}" is to go, and {cause}\n{hint}')


def is_changed(machine: Machine) -> bool:
    """Whether a machine's host stays changed when it is gone: nothing stays on one that its driver made."""
    return not machine.made and bool(machine.changes)


def told(machine: Machine) -> str:
    """What was changed on a machine's host, in a line."""
    from machinectl.host_changes import CaTrusted, DirectoryCreated, UnknownChange, of_kind

    quiet = (CaTrusted, DirectoryCreated, UnknownChange)
    found = [change.about for change in machine.changes if not isinstance(change, quiet)]
    unknown = ["what this version does not know"] if of_kind(machine.changes, UnknownChange) else []
    return ", ".join([*found, *unknown]) or machine.url


def put_back(held: Held, console: Console, purge: Purge, *, force: bool) -> None:
    """Undo on the host what was changed there; with `force`, one that cannot be reached is left as it is."""
    if not held.machine.changes:
        return
    from machinectl.hosts.connection.authorized_keys import remove_authorized_keys
    from machinectl.hosts.connection.host_lock import lock_host
    from machinectl.hosts.connection.login import logged_in, pin_session_key, root_runner
    from machinectl.hosts.lifecycle.host_run import RealRun
    from machinectl.hosts.lifecycle.purging import purge as undo
    from machinectl.ssh.ssh_errors import SSHError

    access = purge.access.for_one_host()
    try:
        with logged_in(held.machine, console, access) as session:
            pin_session_key(held, session)
            if for_root(held.machine):
                root = root_runner(session, console, access)
                lock_host(root, console, held.name, held.directory)
                undo(RealRun(held, console, root), purge_engine=purge.engine, allowed=purge.allowed)
            remove_authorized_keys(held, console, session)
    except MachineError as exc:
        if not force:
            if isinstance(exc, SSHError):
                # It may never come back.
                exc.hint += f"\nOr forget it, with what undoes its set-up kept: machinectl rm {held.name}"
            raise
        console.warn(f"{exc.cause}; the host stays as it is")


def undoing(store: Store, machine: Machine, console: Console, purge: Purge) -> list[Outcome]:
    """Return what `put_back` would undo on a machine's host, which is read and not changed."""
    from machinectl.host_changes import KeyAuthorized, of_kind
    from machinectl.hosts.connection.authorized_keys import unauthorizing_title as title_of
    from machinectl.hosts.connection.login import logged_in, root_runner
    from machinectl.hosts.lifecycle.host_plan import Outcome
    from machinectl.hosts.lifecycle.host_run import DryRun
    from machinectl.hosts.lifecycle.purging import purge as undo

    access = purge.access.for_one_host()
    outcomes = []
    with logged_in(machine, console, access) as session:
        if for_root(machine):
            root = root_runner(session, console, access)
            run = DryRun(store, machine, console, root)
            outcomes = undo(run, purge_engine=purge.engine, allowed=purge.allowed)
    keys = of_kind(machine.changes, KeyAuthorized)
    return [*outcomes, *(Outcome(title_of(key), changed=True, details=(f"remove {key.key}",)) for key in keys)]


def for_root(machine: Machine) -> bool:
    """Whether there is something to undo that takes root."""
    from machinectl.host_changes import KeyAuthorized

    return any(not isinstance(change, KeyAuthorized) for change in machine.changes)


def give_back(console: Console, machine: Machine, *, force: bool) -> None:
    """Let the driver give back what it made; with `force`, a driver that cannot does not keep the machine here."""
    try:
        load(machine.driver).remove(driver_instance(machine))
    except MachineError as exc:
        if not force:
            raise
        console.warn(f"{exc.cause}; forgetting {machine.name} all the same")
