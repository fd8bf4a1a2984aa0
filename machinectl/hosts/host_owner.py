"""Find out whose host it is: another machine's, a removed one's, docker-machine's."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from machinectl.console import Unanswered, confirm
from machinectl.errors import CheckFailed, Declined, Hint, MachineError
from machinectl.hosts.identity import Identity, pending_sets
from machinectl.hosts.login import moved_hint, pinned_known_hosts
from machinectl.machines.record import Phase
from machinectl.provision.facts.host_facts import OWN_DIRECTORY
from machinectl.provision.host_changes import CaTrusted, KeyAuthorized, PackageInstalled, of_kind
from machinectl.url import parse_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.console import Console
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store
    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.target import Allowed

# Identifies the owner; several hosts may share a CA.
SERVER = f"{OWN_DIRECTORY}/server.pem"
CA = f"{OWN_DIRECTORY}/ca.pem"
GIVE_UP = "Forget this machine, and leave the host to its owner"


def check_no_other_machine(store: Store, machine: Machine, host: Facts) -> None:
    if other := owner(store, machine, host):
        rename = Hint("Use that machine, or rename it", "machinectl rename", other, machine.name)
        raise CheckFailed(
            f'The host already belongs to the machine "{other}"',
            moved_hint(machine) if machine.phase == Phase.READY else rename,
        )


def check_not_lost(store: Store, machine: Machine, host: Facts) -> None:
    """Raise CheckFailed if undoing would lock out a new owner, whose CA has replaced ours on the host."""
    if whose := lost_to(store, machine, host):
        raise CheckFailed(
            f"The host no longer belongs to this machine: {whose} has set it up since, and would be locked out",
            Hint(GIVE_UP, "machinectl rm --forget", machine.name),
        )


def lost_to(store: Store, machine: Machine, host: Facts) -> str:
    if other := owner(store, machine, host):
        return f'the machine "{other}"'
    return "another machinectl" if is_anothers(machine, host) else ""


def after_loss(name: str) -> Hint:
    """Return what can be done about a host that is lost to another owner."""
    back = Hint("or take it back, which locks that one out", "machinectl provision --force", name)
    return Hint(GIVE_UP, "machinectl rm --forget", name) | back


def owner(store: Store, machine: Machine, host: Facts) -> str:
    """Return the other machine that owns this host, if any."""
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
    """Return whether this machine never gave the host its certificate and CA."""
    given = {change.sha256 for change in of_kind(machine.changes, CaTrusted)}
    there = host.sums.get(CA)
    return bool(SERVER in host.sums and there and given and there.sha256 not in given and not is_host_of(machine, host))


def predecessor(store: Store, machine: Machine, url: str, host: Facts) -> Machine | None:
    """Return the removed machine of this host, unless the machine has changes of its own besides its key.

    One that has left no certificate there (undone but for the engine that it installed, or reached over SSH only) had
    the same address and SSH host key.
    """
    pinned, address = pinned_known_hosts(machine), parse_url(url).host
    for removed in store.removed.readable():
        if has_left_no_certificate(removed):
            is_same_key = bool(pinned.strip()) and pinned_known_hosts(removed) == pinned
            is_same = host.dockerd and is_same_key and removed.url and parse_url(removed.url).host == address
        else:
            own = [change for change in machine.changes if not isinstance(change, KeyAuthorized)]
            is_same = all(change in removed.changes for change in own) and is_host_of(removed, host)
        if is_same:
            return removed
    return None


def has_left_no_certificate(machine: Machine) -> bool:
    return bool(machine.changes) and (machine.engine.ssh_only or is_engine_alone(machine))


def is_engine_alone(machine: Machine) -> bool:
    """Return whether only the engine's package is left of its changes, as after `rm --purge`."""
    return bool(machine.changes) and all(isinstance(change, PackageInstalled) for change in machine.changes)


def is_host_of(machine: Machine, host: Facts) -> bool:
    """Return whether a machine has changes, and the host has its server certificate."""
    there = host.sums.get(SERVER)
    if there is None or not machine.changes:
        return False
    try:
        sets = [Identity.read(directory) for directory in (machine.directory, *pending_sets(machine.directory))]
    except MachineError:
        return False
    # Version 0.1 kept the key in a separate file.
    files = [file for identity in sets for file in (identity.on_host.get("server.pem", b""), identity.server)]
    return there.sha256 in {hashlib.sha256(file).hexdigest() for file in files}


def takeover(machine: Machine) -> tuple[str, Hint]:
    effect = (
        f'docker-machine set up the host of "{machine.name}". Its engine gets its own CA: clients with '
        "docker-machine's certificates are locked out; containers keep running. docker-machine's files stay there"
    )
    return effect, Hint("To use them again", "machinectl rm --purge", machine.name)


def agree_to_side_effects(
    console: Console, machine: Machine, effects: Sequence[tuple[str, Hint]], allowed: Allowed
) -> None:
    """Ask unless --yes or --force is given. Raises Declined for a no, CheckFailed if nobody answers."""
    for effect in effects:
        console.warn(*effect)
    if not effects or allowed.force or allowed.yes:
        return
    # A failed creation leaves no machine to provision.
    anyway = Hint("Set it up anyway: add --yes to the same command")
    if machine.phase == Phase.READY:
        anyway = Hint("Set it up anyway", "machinectl provision --yes", machine.name)
    try:
        is_meant = confirm(console, "Set the host up anyway?")
    except Unanswered as exc:
        raise CheckFailed(exc.cause, anyway) from exc
    if not is_meant:
        raise Declined(f'The host of "{machine.name}" was not changed', anyway)
