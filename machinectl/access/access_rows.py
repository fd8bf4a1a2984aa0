"""Rows of `access ls`: the holders of access to machines."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.access.requesting import own_digest
from machinectl.errors import MachineError
from machinectl.files.fileset import read_regular_file
from machinectl.hosts.shared_hosts import is_set_up_here
from machinectl.machines.holders import (
    ACTIVE,
    EXPIRES,
    OWNER,
    AccessHolder,
    HolderKey,
    OwnAccess,
    holders_of,
    is_suspended,
)
from machinectl.machines.record import WAITING, waits_for_access
from machinectl.machines.selection import matching
from machinectl.quantities import rfc3339
from machinectl.value_classes import Frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

# Of this computer's own access to somebody else's machine: SHARED. SUSPENDED: the engine listens on no port.
EXPIRED, SUSPENDED, SHARED = "expired", "suspended", "shared"
# The states of holders.py and record.py, and those above.
WORDS = {
    "waiting": "waiting for access",
    SHARED: "access of this computer",
    "adding": "not added yet",
    "ending": "not ended yet",
    "expires": "can only expire",
    SUSPENDED: "suspended (ssh-only)",
    "unwritten": "not written yet",
}


class AccessRow(Frozen):
    """One key of a holder. `key` and `until` are "" for a holder that is being added."""

    machine: str
    holder: str
    kind: str
    state: str
    by: str
    since: str
    until: str
    key: str
    request: str
    can_end: bool

    def fields(self) -> dict[str, object]:
        return {
            "Name": self.machine,
            "Holder": self.holder,
            "Kind": self.kind,
            "State": self.state or "active",
            "CanEnd": self.can_end,
            "By": self.by,
            "Since": self.since,
            "Until": self.until,
            "Key": self.key,
            "Request": self.request,
        }

    def cells(self) -> list[str]:
        is_owner = self.holder == "owner"
        state = "expires" if not (self.state or self.can_end or is_owner) else self.state
        until = self.until[:16].replace("T", " ")
        return [self.machine, self.holder, until, self.by, f"{self.key:.16}", WORDS.get(state, state)]


def list_access(store: Store, names: Sequence[str], *, now: datetime | None = None) -> list[AccessRow]:
    """List all machines without names. An unreadable record raises only if it is named."""
    wanted = matching(names, store.names)
    machines = (store.read(name) if wanted else store.read_or_none(name) for name in wanted or store.names())
    moment = now or datetime.now(UTC)
    return [row for machine in machines if machine for row in rows_of(machine, moment)]


def rows_of(machine: Machine, now: datetime) -> Iterator[AccessRow]:
    if own := own_key(machine):
        yield key_row(machine, AccessHolder(OWNER), own, now)
    if shared_here := access_of_this_computer(machine, now):
        yield shared_here
    for holder in holders_of(machine):
        for key in holder.keys or (HolderKey("", ""),):
            yield key_row(machine, holder, key, now)


def key_row(machine: Machine, holder: AccessHolder, key: HolderKey, now: datetime) -> AccessRow:
    state = holder.state
    if state in {ACTIVE, EXPIRES}:
        state = key.state or (SUSPENDED if is_suspended(machine) else ACTIVE)
        state = EXPIRED if is_over(key.until, now) else state
    can_end = holder.who != OWNER and holder.state != EXPIRES
    words = (holder.kind, state, holder.by, holder.since, key.until, key.key, key.request)
    return AccessRow(machine.name, holder.who, *words, can_end=can_end)


def access_of_this_computer(machine: Machine, now: datetime) -> AccessRow | None:
    """Return this computer's access to a machine that somebody shared with it."""
    own = OwnAccess.of(machine)
    if own is None:
        return None
    state = WAITING if waits_for_access(machine) else EXPIRED if is_over(own.until, now) else SHARED
    words = ("person", state, own.by, own.made, own.until, own_digest(machine), own.request)
    return AccessRow(machine.name, own.who, *words, can_end=False)


def is_over(until: str, now: datetime) -> bool:
    return bool(until) and datetime.fromisoformat(until) <= now


def own_key(machine: Machine) -> HolderKey | None:
    """Return the key of this computer, if it is the one that made the machine's CA."""
    has_ca_key = os.path.lexists(os.path.join(machine.directory, "ca-key.pem"))
    if not (machine.tls and (has_ca_key or is_set_up_here(machine))):
        return None
    try:
        certificate = read_regular_file(os.path.join(machine.directory, "cert.pem"))
        return HolderKey(certs.public_key_digest(certificate), rfc3339(certs.describe(certificate).not_after))
    except MachineError:
        return None
