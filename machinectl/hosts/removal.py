"""Forget machines, and undo the changes on their hosts if requested.

Otherwise a changed host keeps its record.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from machinectl.console import confirm
from machinectl.driver.installed_drivers import load
from machinectl.errors import NO_HINT, Hint, MachineError
from machinectl.machines.holders import EXPIRES, is_suspended, valid_holders
from machinectl.machines.jump_order import gate_of
from machinectl.machines.machine_driver import driver_instance
from machinectl.machines.record import BrokenRecord
from machinectl.machines.selection import waiting
from machinectl.machines.store.held_removed import HeldRemoved, read_removed
from machinectl.machines.store.machine_store import read_or_none
from machinectl.machines.store.removed_machines import is_known
from machinectl.machines.store.store_directory import sweep
from machinectl.machines.store.store_paths import now
from machinectl.machines.swarm_node import MEMBER, node_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from machinectl.console import Console
    from machinectl.hosts.host_plan import Outcome
    from machinectl.hosts.login import Login
    from machinectl.machines.holders import AccessHolder
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store
    from machinectl.machines.swarm_node import SwarmNode
    from machinectl.provision.target import Allowed

# Seconds for an engine to say whether it is still a node.
ANSWERS_WITHIN = 2.0


@dataclass(frozen=True)
class Purge:
    login: Login
    allowed: Allowed
    engine: bool = False
    # Nobody is asked first: each host's look comes before the word on whose access ends.
    unasked: bool = False

    @property
    def options(self) -> list[str]:
        purge = "--purge-engine" if self.engine else "--purge"
        return [purge, "--restart-swarm"] if self.allowed.restart_swarm else [purge]

    def effects(self, hosts: int) -> str:
        host, its, engine = ("the host", "its", "engine") if hosts == 1 else ("their hosts", "their", "engines")
        undone = f"the set-up of {host} is undone"
        if not self.engine:
            return f"{undone}; {its} {engine}, containers and images stay"
        are = "is" if hosts == 1 else "are"
        return f"{undone}; {its} containers and images stay; {its} {engine} {are} removed, which stops the containers"

    def carry_out(self, held: Held, console: Console, *, force: bool) -> None:
        from machinectl.hosts.purging import purge_host

        login = self.login.for_one_host()
        looked = partial(warn_of_ending_access, console, held.machine) if self.unasked else None
        purge_host(held, console, login, self.allowed, purge_engine=self.engine, force=force, looked=looked)

    def preview(self, store: Store, machine: Machine, console: Console) -> list[Outcome]:
        from machinectl.hosts.purging import preview_purge

        login = self.login.for_one_host()
        return preview_purge(store, machine, console, login, self.allowed, purge_engine=self.engine)


def confirm_removal(
    store: Store, console: Console, names: Sequence[str], purge: Purge | None, unasked: str, *, forget: bool = False
) -> bool:
    """Explain the removal, and ask; `unasked` is the command that does not ask."""
    machines = []
    for name in names:
        with suppress(MachineError):
            machines.append(known_machine(store, name, removed=True))
    undone = purge and (len(machines) < len(names) or any(machine.changes for machine in machines))
    effects = [purge.effects(len(names)) if purge and undone else effects_on_hosts(names, machines, forget=forget)]
    if made := [machine.name for machine in machines if machine.made]:
        effects.append(f"the driver deletes the hosts that it made, with all their data: {', '.join(made)}")
    if live := [name for name in names if store.exists(name)]:
        them = ", ".join(live) if len(live) < len(names) else "it" if len(names) == 1 else "them"
        effects.insert(0, f"docker no longer reaches {them} from here")
    console.note(f"About to remove {', '.join(names)}: {'; '.join(effects)}.")
    return confirm(console, "Are you sure?", unasked)


def effects_on_hosts(names: Sequence[str], machines: Sequence[Machine], *, forget: bool) -> str:
    """Describe the hosts after a removal without --purge."""
    changed = [machine.name for machine in machines if is_changed(machine)]
    if not changed:
        return "the host is not changed" if len(names) == 1 else "their hosts are not changed"
    undo = "nothing is kept to undo that" if forget else "a record is kept to undo that later"
    if len(names) == 1:
        return f"the host stays set up, and {undo}"
    if len(changed) == len(names):
        return f"their hosts stay set up, and {undo}"
    stays = "the host of {} stays" if len(changed) == 1 else "the hosts of {} stay"
    return f"{stays.format(', '.join(changed))} set up, and {undo}"


def warn_of_swarm(store: Store, console: Console, name: str) -> None:
    node = None
    with suppress(MachineError):
        node = current_node(store, store.read(name))
    if node:
        verb = "is" if node.membership == MEMBER else "was"
        console.warn(
            f'"{name}" {verb} a {node.role} of the swarm "{node.swarm}" and stays in its list of nodes',
            Hint("Let it leave first", "machinectl swarm leave", name),
        )


def warn_of_holders(store: Store, console: Console, name: str, *, asks: bool, undoes: bool) -> None:
    """Say whose certificates stay valid: the host keeps their CAs, unless its set-up is undone.

    A command that `asks` can still be stopped. One that does not says whose access ends after its look at the host.
    """
    machine = read_or_none(store.read, name)
    known = holders_with_access(machine) if machine else []
    endable = [holder.who for holder in known if holder.state != EXPIRES]
    if endable and undoes and machine and machine.has_changes:
        if asks:
            warn_of_ending_access(console, machine)
    elif known:
        until = max(key.until for holder in known for key in holder.keys)
        hint = Hint("End it first", "machinectl access end", endable[0], name) if asks and endable else NO_HINT
        console.warn(
            f'{", ".join(holder.who for holder in known)} will still have access to the host of "{name}", '
            f"until {until[:16].replace('T', ' ')} UTC",
            hint,
        )


def holders_with_access(machine: Machine) -> list[AccessHolder]:
    return [] if is_suspended(machine) else valid_holders(machine, now())


def warn_of_ending_access(console: Console, machine: Machine) -> None:
    endable = [holder.who for holder in holders_with_access(machine) if holder.state != EXPIRES]
    if endable and machine.has_changes:
        console.warn(f'The access of {", ".join(endable)} to the host of "{machine.name}" ends with its set-up')


def current_node(store: Store, machine: Machine) -> SwarmNode | None:
    """Return the recorded member, unless its engine says that it has left and no manager lists it."""
    node = node_of(machine)
    if node is None:
        return None
    from machinectl.engine import swarm_api
    from machinectl.machines.machine_driver import endpoint_of
    from machinectl.swarm_nodes.membership import TrustedSwarms

    try:
        found = swarm_api.membership(endpoint_of(machine), timeout=ANSWERS_WITHIN)
    except MachineError:
        return node
    return TrustedSwarms(store).node_to_record(machine, found) if found.is_out else node


def known_machine(store: Store, name: str, *, removed: bool) -> Machine:
    if removed and not store.exists(name) and is_known(store, name):
        return read_removed(store, name)
    return store.read(name)


def remove_machine(
    store: Store, console: Console, name: str, *, force: bool = False, purge: Purge | None, forget: bool = False
) -> None:
    """With `force`, forget broken records, too. `purge` and `forget` also work on removed machines."""
    again = (purge or forget) and not store.exists(name) and is_known(store, name)
    if not again:
        store.check_exists(name)
    writing = partial(HeldRemoved, store) if again else store.writing
    with writing(name, waiting(console, name)) as held:
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
    if purge and machine.changes:
        purge.carry_out(held, console, force=force)
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
    others = [other for other in others if gate_of(store, other) == name]
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
    from machinectl.provision.host_changes import CaTrusted, DirectoryCreated, GroupJoined, UnknownChange, of_kind

    quiet = (CaTrusted, DirectoryCreated, UnknownChange)
    found = [
        f"{change.user} in the group {change.group}" if isinstance(change, GroupJoined) else change.about
        for change in machine.changes
        if not isinstance(change, quiet)
    ]
    unknown = ["changes of an unknown kind"] if of_kind(machine.changes, UnknownChange) else []
    return ", ".join([*found, *unknown]) or machine.url
