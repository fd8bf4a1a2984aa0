"""`certs ls`: certificates, expiry and errors."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.hosts.expiry import (
    CertificateRow,
    certificate_rows,
    remaining_time,
    renewal_command,
)
from machinectl.machines.record import waits_for_access
from machinectl.machines.selection import matching

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from machinectl.machines.store import Store


def certs_ls(store: Store, names: Sequence[str] | None = None, *, now: datetime | None = None) -> list[CertificateRow]:
    """A broken file is a row; an unknown name raises."""
    names = matching(names or (), store.names)
    for name in names:
        store.check_exists(name)
    now = now or datetime.now(UTC)
    return [
        row
        for name in names or store.names()
        if not has_none(store, name)
        for row in list(certificate_rows(name, store.directory(name), now)) or missing_rows(store, name)
    ]


def has_none(store: Store, name: str) -> bool:
    """Return whether the machine uses no certificates: files of a former listener and the key of a request are none."""
    try:
        machine = store.read(name)
    except MachineError:
        return False
    return machine.engine.ssh_only or waits_for_access(machine)


def expiring(rows: Iterable[CertificateRow], days: int) -> list[CertificateRow]:
    """Include unreadable certificates."""
    return [row for row in rows if row.days_left is None or row.days_left < days]


def expiry_errors(store: Store, rows: Iterable[CertificateRow], days: int) -> list[MachineError]:
    found: dict[str, list[CertificateRow]] = {}
    for row in expiring(rows, days):
        found.setdefault(row.machine, []).append(row)
    return [
        MachineError(
            f'"{name}": {"; ".join(map(remaining_time, under))} (--fail-under {days})',
            renewal_command(store, name, under),
        )
        for name, under in found.items()
    ]


def missing_rows(store: Store, name: str) -> list[CertificateRow]:
    """Return a row if certificates are required or the record is unreadable."""
    try:
        machine = store.read(name)
    except MachineError as exc:
        return [CertificateRow(name, "machine.json", fault=exc.cause)]
    fault = "there are no certificates, and the machine is on TLS"
    return [CertificateRow(name, "ca.pem", fault=fault)] if machine.tls else []
