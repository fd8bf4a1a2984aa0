"""Whose host this is already: another machine's, that of one that was removed, or docker-machine's.

With the one that was removed, its set-up goes on.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from machinectl.console import Unanswered, confirm_or_hint
from machinectl.errors import CheckFailed, MachineError
from machinectl.host_changes import CaTrusted, KeyAuthorized, merged, of_kind
from machinectl.hosts.certificates.identity import Identity
from machinectl.hosts.certificates.pending import pending_sets
from machinectl.machines.record import Phase
from machinectl.machines.store.removed_machines import forget_removed, removed_machines
from machinectl.provision.facts.host_facts import OWN_DIRECTORY
from machinectl.provision.steps.side_effects import side_effects

if TYPE_CHECKING:
    from machinectl.console import Console
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store
    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.target import Allowed

# What tells a host's owner: many hosts may share a CA.
SERVER = f"{OWN_DIRECTORY}/server.pem"
CA = f"{OWN_DIRECTORY}/ca.pem"
GIVE_UP = "Forget this one, and leave the host to its owner"


def check_alone(store: Store, machine: Machine, host: Facts) -> None:
    """Refuse a host that another machine has, and not this one. Raises CheckFailed."""
    if other := owner(store, machine, host):
        raise CheckFailed(
            f'The host is that of the machine "{other}" already',
            f"Use that one, or give it another name: machinectl rename {other} {machine.name}",
        )


def check_not_lost(store: Store, machine: Machine, host: Facts) -> None:
    """Refuse to undo a machine's set-up where somebody else has set the host up since. Raises CheckFailed.

    What is there is what they come by. Who put other certificates there by hand has left its CA, or none.
    """
    if whose := lost_to(store, machine, host):
        raise CheckFailed(
            f"It is not this machine's any more: {whose} has set the host up since, and would be locked out",
            f"{GIVE_UP}: machinectl rm --forget {machine.name}",
        )


def lost_to(store: Store, machine: Machine, host: Facts) -> str:
    """Who has set a machine's host up since, in words; "" where that is still the machine's."""
    if other := owner(store, machine, host):
        return f'the machine "{other}"'
    return "another machinectl" if is_anothers(machine, host) else ""


def owner(store: Store, machine: Machine, host: Facts) -> str:
    """The name of the other machine that has a host, "" where none has, or this one."""
    if SERVER not in host.sums or is_host_of(machine, host):
        return ""
    for other in store.names():
        try:
            if is_host_of(store.read(other), host):
                return other
        except MachineError:
            continue
    return ""


def is_anothers(machine: Machine, host: Facts) -> bool:
    """Whether both the certificate and the CA that a host was given are others than a machine has ever given it."""
    given = {change.sha256 for change in of_kind(machine.changes, CaTrusted)}
    there = host.sums.get(CA)
    return bool(SERVER in host.sums and there and given and there.sha256 not in given and not is_host_of(machine, host))


def predecessor(store: Store, machine: Machine, host: Facts) -> Machine | None:
    """The machine that was removed and whose host this is; None where a machine has a history of its own.

    Its history may have been taken over already, by a run that was cut. A user's key is let in before this is asked.
    """
    for removed in removed_machines(store):
        known = all(isinstance(change, KeyAuthorized) or change in removed.changes for change in machine.changes)
        if known and is_host_of(removed, host):
            return removed
    return None


def is_host_of(machine: Machine, host: Facts) -> bool:
    """Whether a machine set a host up: that has its server's certificate, and the machine a record of changes."""
    there = host.sums.get(SERVER)
    if there is None or not machine.changes:
        return False
    try:
        sets = [Identity.read(directory) for directory in (machine.directory, *pending_sets(machine.directory))]
    except MachineError:
        return False
    # 0.1 kept the key in a file of its own.
    files = [file for identity in sets for file in (identity.on_host.get("server.pem", b""), identity.server)]
    return there.sha256 in {hashlib.sha256(file).hexdigest() for file in files}


def take_over(console: Console, machine: Machine, allowed: Allowed) -> None:
    """Say what becomes of a host that docker-machine set up, and ask whether that is meant. Raises CheckFailed."""
    told_of_takeover(console, machine)
    agree(
        console,
        machine,
        allowed,
        "Take the host over?",
        f'The host of "{machine.name}" was not taken over from docker-machine, and stays as it is',
        "Take it over anyway",
    )


def agree_to_side_effects(console: Console, machine: Machine, host: Facts, allowed: Allowed) -> None:
    """Warn of the side effects on a host, and ask whether to continue. Raises CheckFailed for a no."""
    effects = side_effects(host)
    for effect in effects:
        console.warn(effect)
    if effects:
        stays = f'The host of "{machine.name}" was not changed'
        agree(console, machine, allowed, "Set the host up anyway?", stays, "Set it up anyway")


def agree(console: Console, machine: Machine, allowed: Allowed, question: str, stays: str, otherwise: str) -> None:
    """Ask a question unless --yes or --force answers it. Raises CheckFailed for a no."""
    if allowed.force or allowed.yes:
        return
    # A machine that is being made is not there any more when this fails.
    there = machine.phase is Phase.READY
    unasked = f"machinectl provision --yes {machine.name}" if there else "give the same command --yes, too"
    try:
        is_meant = confirm_or_hint(console, question, unasked)
    except Unanswered as exc:
        raise CheckFailed(exc.cause, exc.hint) from exc
    if not is_meant:
        raise CheckFailed(stays, f"{otherwise}: {unasked}")


def told_of_takeover(console: Console, machine: Machine) -> None:
    console.note(
        f'docker-machine set up the host of "{machine.name}". Its engine gets a CA of its own: whoever comes with '
        "docker-machine's certificates is locked out; containers keep running. What docker-machine made there stays, "
        f"and is in use again after machinectl rm --purge {machine.name}"
    )


def go_on_with(held: Held, console: Console, removed: Machine) -> None:
    """Take over what was removed, and keep it here alone: what was changed on the host, and what opens it."""
    console.note(f'The host was set up here before, as "{removed.name}": going on with that')
    held.machine.changes = merged(removed.changes, held.machine.changes)
    held.write()
    Identity.read(removed.directory).keep(held)
    forget_removed(held.store, removed.name)
