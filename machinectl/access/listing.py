"""List who has access to machines, by this computer's records."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.access.requesting import own_digest
from machinectl.errors import MachineError
from machinectl.files.fileset import read_regular_file
from machinectl.hosts.shared_hosts import is_set_up_here
from machinectl.machines.holders import (
    ACTIVE,
    ADDING,
    ENDING,
    EXPIRES,
    OWNER,
    PERSON,
    UNWRITTEN,
    AccessHolder,
    HolderKey,
    holders_of,
    is_suspended,
)
from machinectl.machines.own_access import OwnAccess
from machinectl.machines.record import WAITING, waits_for_access
from machinectl.machines.selection import matching
from machinectl.machines.store.machine_store import read_or_none
from machinectl.quantities import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

EXPIRED = "expired"
# The engine listens on no port: the access comes back with its listener.
SUSPENDED = "suspended"
# The states of this computer's own access to somebody else's machine.
SHARED = "shared"
WORDS = {
    WAITING: "waiting for access",
    SHARED: "access of this computer",
    ADDING: "not added yet",
    ENDING: "not ended yet",
    EXPIRES: "can only expire",
    SUSPENDED: "suspended (ssh-only)",
    UNWRITTEN: "not written yet",
}


@dataclass(frozen=True)
class AccessRow:
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
        state = WORDS.get(self.state, self.state)
        if not self.can_end and self.holder != OWNER and self.state == ACTIVE:
            state = WORDS[EXPIRES]
        return [self.machine, self.holder, minutes(self.until), self.by, f"{self.key:.16}", state]


def access_ls(store: Store, names: Sequence[str], *, now: datetime | None = None) -> list[AccessRow]:
    """List all machines without names. An unreadable record raises only if it is named."""
    wanted = matching(names, store.names)
    machines = (store.read(name) if wanted else read_or_none(store.read, name) for name in wanted or store.names())
    moment = now or datetime.now(UTC)
    return [row for machine in machines if machine for row in access_rows(machine, moment)]


def access_rows(machine: Machine, now: datetime) -> Iterator[AccessRow]:
    if own := own_key(machine):
        holder = AccessHolder(OWNER, state=ACTIVE)
        yield access_row(machine, holder, own, now)
    if here := access_of_this_computer(machine, now):
        yield here
    for holder in holders_of(machine):
        for key in holder.keys or (HolderKey("", ""),):
            yield access_row(machine, holder, key, now)


def access_row(machine: Machine, holder: AccessHolder, key: HolderKey, now: datetime) -> AccessRow:
    return AccessRow(
        machine.name,
        holder.who,
        holder.kind,
        key_state(machine, holder, key, now),
        holder.by,
        holder.since,
        key.until,
        key.key,
        key.request,
        can_end=holder.who != OWNER and holder.state != EXPIRES,
    )


def key_state(machine: Machine, holder: AccessHolder, key: HolderKey, now: datetime) -> str:
    if holder.state not in {ACTIVE, EXPIRES}:
        return holder.state
    if key.until and datetime.fromisoformat(key.until) <= now:
        return EXPIRED
    if key.state:
        return key.state
    return SUSPENDED if is_suspended(machine) else ACTIVE


def access_of_this_computer(machine: Machine, now: datetime) -> AccessRow | None:
    """Return this computer's access to a machine that somebody shared with it."""
    own = OwnAccess.of(machine)
    if own is None:
        return None
    is_over = own.until and datetime.fromisoformat(own.until) <= now
    state = WAITING if waits_for_access(machine) else EXPIRED if is_over else SHARED
    return AccessRow(
        machine.name,
        own.who,
        PERSON,
        state,
        own.by,
        own.made,
        own.until,
        own_digest(machine),
        own.request,
        can_end=False,
    )


def own_key(machine: Machine) -> HolderKey | None:
    """Return the key of this computer, if it is the one that made the machine's CA."""
    path = os.path.join(machine.directory, "cert.pem")
    has_ca_key = os.path.lexists(os.path.join(machine.directory, "ca-key.pem"))
    if not (machine.tls and (has_ca_key or is_set_up_here(machine))):
        return None
    try:
        certificate = read_regular_file(path)
        until = certs.describe(certificate).not_after
        return HolderKey(certs.public_key_digest(certificate), rfc3339(until))
    except MachineError:
        return None


def minutes(time: str) -> str:
    """Shorten a time in RFC 3339."""
    return time[:16].replace("T", " ")
