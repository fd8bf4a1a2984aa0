"""`certs ls`: what the machines' certificates say, when they expire, and which do not work."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.machines.certificates import Row, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from machinectl.machines.store import Store


def certs_ls(store: Store, names: Sequence[str] | None = None, *, now: datetime | None = None) -> list[Row]:
    """Every certificate of the machines named, or of all. A broken file is a row; a name that is none raises."""
    for name in names or ():
        store.check_exists(name)
    now = now or datetime.now(UTC)
    return [
        row
        for name in names or store.names()
        for row in rows_of(name, store.directory(name), now) or lacking(store, name)
    ]


def expiring(rows: Iterable[Row], days: int) -> list[Row]:
    """The rows that `--fail-under DAYS` fails for: less than that left, or unreadable."""
    return [row for row in rows if row.days_left is None or row.days_left < days]


def fallen(store: Store, rows: Iterable[Row], days: int) -> list[MachineError]:
    """What `--fail-under DAYS` says of each machine that it fails for: its certificates, and what renews them."""
    found: dict[str, list[Row]] = {}
    for row in expiring(rows, days):
        found.setdefault(row.machine, []).append(row)
    return [
        MachineError(f'"{name}": {"; ".join(map(how_long, under))} (--fail-under {days})', renewal(store, name, under))
        for name, under in found.items()
    ]


def how_long(row: Row) -> str:
    if row.days_left is None:
        return f"{row.file}: {row.warning}"
    if row.days_left < 0:
        return f"{row.file} has expired"
    return f"{row.file} has {row.days_left} day{'' if row.days_left == 1 else 's'} left"


def renewal(store: Store, name: str, under: Iterable[Row]) -> str:
    """The command that renews certificates of a machine."""
    files = {row.file for row in under}
    try:
        ours = bool(store.read(name).changes)
    except MachineError:
        return f"See what is wrong: machinectl inspect {name}"
    if not ours:
        return f"Get new ones from whoever made them, and put them in: machinectl certs import {name} <DIR>"
    flags = [flag for file, flag in (("cert.pem", "--client-certs"), ("ca.pem", "--new-ca")) if file in files]
    return " ".join(["Renew them: machinectl regenerate-certs", *flags, name])


def lacking(store: Store, name: str) -> list[Row]:
    """What stands for a machine without any certificate: nothing, unless it needs some or cannot be read."""
    try:
        machine = store.read(name)
    except MachineError as exc:
        return [Row(name, "machine.json", warning=exc.cause)]
    return [Row(name, "ca.pem", warning="there are no certificates, and the machine is on TLS")] if machine.tls else []
