"""`certs ls`: what the machines' certificates say, when they expire, and which do not work."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.hosts.certificates.expiry import CertificateRow, remaining_time, renewal_command, rows_of
from machinectl.machines.selection import matching

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from machinectl.machines.store import Store


def certs_ls(store: Store, names: Sequence[str] | None = None, *, now: datetime | None = None) -> list[CertificateRow]:
    """Every certificate of the machines named, or of all. A broken file is a row; a name that is none raises."""
    names = matching(names or (), store.names)
    for name in names:
        store.check_exists(name)
    now = now or datetime.now(UTC)
    return [
        row
        for name in names or store.names()
        for row in rows_of(name, store.directory(name), now) or lacking(store, name)
    ]


def expiring(rows: Iterable[CertificateRow], days: int) -> list[CertificateRow]:
    """The rows that `--fail-under DAYS` fails for: less than that left, or unreadable."""
    return [row for row in rows if row.days_left is None or row.days_left < days]


def fallen(store: Store, rows: Iterable[CertificateRow], days: int) -> list[MachineError]:
    """What `--fail-under DAYS` says of each machine that it fails for: its certificates, and what renews them."""
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


def lacking(store: Store, name: str) -> list[CertificateRow]:
    """What stands for a machine without any certificate: nothing, unless it needs some or cannot be read."""
    try:
        machine = store.read(name)
    except MachineError as exc:
        return [CertificateRow(name, "machine.json", warning=exc.cause)]
    return (
        [CertificateRow(name, "ca.pem", warning="there are no certificates, and the machine is on TLS")]
        if machine.tls
        else []
    )
