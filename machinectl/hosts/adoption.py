"""Whose host this is already: another machine's, or that of one that was removed, with whom its set-up goes on."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from machinectl.changes import CaGiven, of_kind
from machinectl.errors import CheckFailed, MachineError
from machinectl.hosts.identity import Identity
from machinectl.provision.facts import OWN_DIRECTORY

if TYPE_CHECKING:
    from machinectl.console import Console
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store
    from machinectl.provision.facts import Facts

# What tells a host's owner.
CA = f"{OWN_DIRECTORY}/ca.pem"


def check_alone(store: Store, machine: Machine, host: Facts) -> None:
    """Refuse a host that another machine has, and not this one. Raises CheckFailed."""
    if CA not in host.sums or is_host_of(machine, host):
        return
    name = machine.name
    for other in store.names():
        try:
            there = is_host_of(store.read(other), host)
        except MachineError:
            continue
        if there:
            raise CheckFailed(
                f'The host is that of the machine "{other}" already',
                f"Use that one, or give it another name: machinectl rename {other} {name}",
            )


def predecessor(store: Store, machine: Machine, host: Facts) -> Machine | None:
    """The machine that was removed and whose host this is; None where a machine has a history of its own."""
    if machine.changes:
        return None
    return next((removed for removed in store.removed() if is_host_of(removed, host)), None)


def is_host_of(machine: Machine, host: Facts) -> bool:
    """Whether a machine set a host up: that has its CA, and the machine a record of what was changed."""
    there = host.sums.get(CA)
    if there is None or not machine.changes:
        return False
    return there.sha256 in {
        *(change.subject for change in of_kind(machine.changes, CaGiven)),
        hashlib.sha256(Identity.read(machine.directory).ca).hexdigest(),
    }


def go_on_with(held: Held, console: Console, removed: Machine) -> None:
    """Take over what was removed: the record of what was changed on the host, and what opens it."""
    console.note(f'The host was set up here before, as "{removed.name}": going on with that')
    held.machine.changes = removed.changes
    held.write()
    Identity.read(removed.directory).keep(held)


def forget_predecessors(store: Store, machine: Machine) -> None:
    """Keep nothing of removed machines whose host is a machine's now: it has their history."""
    own = {change.subject for change in of_kind(machine.changes, CaGiven)}
    for removed in store.removed():
        if own & {change.subject for change in of_kind(removed.changes, CaGiven)}:
            store.forget_removed(removed.name)
