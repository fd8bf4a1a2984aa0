"""Check machines' files here: records, modes, certificates."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from machinectl.doctor.check import broken, ok, unknown
from machinectl.files.atomic import quote_path
from machinectl.hosts.certificates.expiry import certificate_rows, remaining_time, renewal_command
from machinectl.machines.record import PROVISION, Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from machinectl.doctor.check import Check
    from machinectl.hosts.certificates.expiry import CertificateRow
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

RECORD, MODES, CERTIFICATES = "Record", "Modes", "Certificates"
# The number of names in one line.
NAMED = 3


class Entry(NamedTuple):
    """`mode` is st_mode."""

    path: str
    mode: int
    uid: int


def record_check(store: Store, machine: Machine) -> Check:
    name = machine.name
    if store.is_locked(name):
        return unknown(
            RECORD, "another machinectl is working on it now", f"When that is done: machinectl doctor {name}"
        )
    if machine.phase is Phase.CREATING:
        again = f"Create it again, or forget it: machinectl rm {name}"
        return broken(RECORD, f"half made: {machine.why}", again)
    if machine.phase is not Phase.READY:
        go_on = f"Go on: machinectl provision {name}; or forget it: machinectl rm {name}"
        return broken(RECORD, f"half made: {machine.why}", go_on)
    if machine.pending:
        not_there = "not all changes reached its host"
        return broken(RECORD, not_there, f"Apply it: machinectl {PROVISION} {name}")
    if store.is_unsettled(name):
        return unknown(
            RECORD,
            "certificates were made for it that its engine may be serving by now",
            f"Settle it: machinectl provision {name}",
        )
    return ok(RECORD, f"whole, in {store.directory(name)}")


def modes_check(directory: str) -> Check:
    """Check the modes of a machine's files. Raises OSError."""
    with os.scandir(directory) as entries:
        found = [directory, *sorted(entry.path for entry in entries)]
    return privacy_check(directory, list(map(entry_of, found)))


def entry_of(path: str) -> Entry:
    there = os.lstat(path)
    return Entry(path, there.st_mode, there.st_uid)


def privacy_check(directory: str, entries: Sequence[Entry], user: int | None = None) -> Check:
    """Check modes and owners. `user` is an ID (default: ours); root may work in anybody's store."""
    if os.name == "nt":
        return unknown(MODES, "not looked at: Windows has none")
    user = os.geteuid() if user is None else user
    foreign = [entry for entry in entries if user not in {0, entry.uid}]
    if foreign:
        take = f"sudo chown -R $(id -u) {quote_path(directory)}"
        return broken(MODES, f"{path_list(foreign)}: another user's", f"Take it over: {take}")
    opened = [entry for entry in entries if is_open(entry)]
    if opened:
        return broken(
            MODES, f"others may read {path_list(opened)}", f"Keep them out: chmod -R go= {quote_path(directory)}"
        )
    return ok(MODES, f"{directory} is readable only by its owner")


def is_open(entry: Entry) -> bool:
    if stat.S_ISLNK(entry.mode):
        return False
    file = os.path.basename(entry.path)
    secret = stat.S_ISDIR(entry.mode) or file.startswith("id_") or file.endswith("key.pem") or file == "machine.json"
    return secret and bool(entry.mode & (stat.S_IRWXG | stat.S_IRWXO))


def path_list(entries: Sequence[Entry]) -> str:
    more = f" and {len(entries) - NAMED} more" if len(entries) > NAMED else ""
    return ", ".join(entry.path for entry in entries[:NAMED]) + more


def certificates_check(store: Store, machine: Machine, now: datetime | None = None) -> Check:
    name = machine.name
    rows = list(certificate_rows(name, machine.directory, now or datetime.now(UTC)))
    if not rows:
        put = f"Put its certificates in: machinectl certs import {name} <DIR>"
        return broken(CERTIFICATES, "there are none, and the machine is on TLS", put)
    return validity_check(rows, renewal_command(store, name, [row for row in rows if row.warning]))


def validity_check(rows: Iterable[CertificateRow], renew: str) -> Check:
    rows = list(rows)
    wrong = [row for row in rows if row.warning and not is_soon(row)]
    if wrong:
        return broken(CERTIFICATES, "; ".join(f"{row.file}: {row.warning}" for row in wrong), renew)
    soon = [row for row in rows if row.warning]
    if soon:
        return unknown(CERTIFICATES, "; ".join(map(remaining_time, soon)), renew)
    first = min((row for row in rows if row.expires), key=lambda row: row.expires or datetime.max.replace(tzinfo=UTC))
    return ok(CERTIFICATES, f"valid until {first.expires:%Y-%m-%d} ({first.file})")


def is_soon(row: CertificateRow) -> bool:
    return row.days_left is not None and row.days_left >= 0 and row.warning == f"expires in {row.days_left} days"


def of_all(store: Store, machines: Iterable[Machine], now: datetime) -> Iterator[Check]:
    for machine in machines:
        if not machine.tls:
            continue
        found = certificates_check(store, machine, now)
        if found.hint:
            yield replace(found, seen=f'"{machine.name}": {found.seen}')
