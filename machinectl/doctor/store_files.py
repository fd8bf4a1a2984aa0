"""Check machines' files here: records, modes, certificates."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from machinectl.check import BROKEN, OK, UNKNOWN, Check, broken, first_case, ok, unknown
from machinectl.errors import NO_HINT, Hint, put_certificates_in
from machinectl.files.atomic import quote_word
from machinectl.hosts.expiry import (
    EXPIRED,
    CertificateRow,
    certificate_rows,
    is_only_due,
    remaining_time,
    renewal_command,
)
from machinectl.hosts.shared_hosts import is_set_up_here
from machinectl.machines.holders import TOOL, holders_of
from machinectl.machines.record import PROVISION, Machine, Phase, access_hint, removal_command, waits_for_access
from machinectl.machines.store.store_paths import is_locked
from machinectl.quantities import first_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from machinectl.machines.holders import AccessHolder
    from machinectl.machines.store import Store

RECORD, MODES, CERTIFICATES, TOOLS = "Record", "Modes", "Certificates", "Tools"
# To renew by hand takes some days.
TOOL_NOTICE = timedelta(days=3)


class Entry(NamedTuple):
    """`mode` is st_mode."""

    path: str
    mode: int
    uid: int


def record_check(store: Store, machine: Machine) -> Check:
    name = machine.name
    provision, remove = f"machinectl {PROVISION} {name}", Hint("or remove it", removal_command(machine))
    half = f"incomplete: {machine.why}"
    unsettled = "its engine may already serve new certificates from an interrupted run"
    busy = "another run of machinectl is working on it"
    return first_case(
        RECORD,
        (is_locked(store.lock_path(name)), UNKNOWN, busy, Hint("When that is done", "machinectl doctor", name)),
        (waits_for_access(machine), UNKNOWN, machine.why, access_hint(name)),
        (machine.phase == Phase.CREATING, BROKEN, half, Hint("Create it again") | remove),
        (machine.phase != Phase.READY, BROKEN, half, Hint("Continue", provision) | remove),
        (machine.pending, BROKEN, machine.why_unfinished, Hint("Apply it", provision)),
        (store.is_unsettled(name), UNKNOWN, unsettled, Hint("Settle it", provision)),
        (True, OK, f"complete, in {store.directory(name)}", NO_HINT),
    )


def modes_check(directory: str) -> Check:
    try:
        with os.scandir(directory) as entries:
            found = [directory, *sorted(entry.path for entry in entries)]
        return privacy_check(directory, list(map(entry_of, found)))
    except OSError as exc:
        seen = f"{exc.filename} cannot be read: {exc.strerror}"
        return unknown(MODES, seen, Hint("See", "ls -ld", directory))


def entry_of(path: str) -> Entry:
    there = os.lstat(path)
    return Entry(path, there.st_mode, there.st_uid)


def privacy_check(directory: str, entries: Sequence[Entry], user: int | None = None) -> Check:
    """Check modes and owners. `user` is an ID (default: ours); root may read anybody's store."""
    user = os.geteuid() if user is None else user
    foreign = [entry for entry in entries if user not in {0, entry.uid}]
    if foreign:
        take = f"sudo chown -R $(id -u) {quote_word(directory)}"
        return broken(MODES, f"{path_list(foreign)} belong to another user", Hint("Change the owner", take))
    opened = [entry for entry in entries if is_open(entry)]
    if opened:
        close = Hint("Make it private", "chmod -R go=", directory)
        return broken(MODES, f"other users can read {path_list(opened)}", close)
    return ok(MODES, f"only the owner can read {directory}")


def is_open(entry: Entry) -> bool:
    if stat.S_ISLNK(entry.mode):
        return False
    file = os.path.basename(entry.path)
    secret = stat.S_ISDIR(entry.mode) or file.startswith("id_") or file.endswith("key.pem") or file == "machine.json"
    return secret and bool(entry.mode & (stat.S_IRWXG | stat.S_IRWXO))


def path_list(entries: Sequence[Entry]) -> str:
    return first_names([entry.path for entry in entries])


def certificates_check(store: Store, machine: Machine, now: datetime | None = None) -> Check:
    name = machine.name
    rows = list(certificate_rows(name, machine.directory, now or datetime.now(UTC)))
    if not rows:
        return broken(CERTIFICATES, "none, but the machine uses TLS", put_certificates_in(name))
    found = validity_check(rows, renewal_command(store, name, [row for row in rows if row.warning]))
    has_key = os.path.lexists(os.path.join(machine.directory, "ca-key.pem"))
    # The owner may keep it elsewhere. An export for a second computer leaves it out.
    if found.verdict is OK and not has_key and is_set_up_here(machine):
        seen = "valid, but cannot be renewed here: this store has no CA key (ca-key.pem)"
        command = "machinectl export --all --with-ca-key -o <FILE>"
        export = Hint("If another store has it, export it there", command, elsewhere=True)
        return unknown(CERTIFICATES, seen, export | Hint("then", "machinectl import <FILE>"))
    return found


def tool_certificates_check(machine: Machine, now: datetime | None = None) -> Check | None:
    """Return None if no tool's newest certificate ends soon. People ask for a new one, tools do not."""
    now = now or datetime.now(UTC)
    ends = {
        holder.who: end for holder in holders_of(machine) if holder.kind == TOOL and (end := ends_soon(holder, now))
    }
    if not ends:
        return None
    seen = "; ".join(
        f"the certificate of {who} {'expired' if end <= now else 'expires'} on {end:%Y-%m-%d %H:%M} UTC"
        for who, end in ends.items()
    )
    give_up = Hint("or end the access", "machinectl access end", next(iter(ends)), machine.name)
    return unknown(TOOLS, seen, Hint("Renew it with the same `access issue` command as before") | give_up)


def ends_soon(holder: AccessHolder, now: datetime) -> datetime | None:
    """Return when the holder's newest known certificate expires, None if that is not near."""
    ends = (datetime.fromisoformat(key.until) for key in holder.keys if key.until and not key.state)
    end = max(ends, default=None)
    if end is None:
        return None
    # A first certificate of some hours has a shorter notice.
    since = datetime.fromisoformat(holder.since) if holder.since else now
    return end if end - now < min(TOOL_NOTICE, max(end - since, timedelta()) / 3) or end <= now else None


def validity_check(rows: Iterable[CertificateRow], renew: Hint) -> Check:
    rows = list(rows)
    soon = [row for row in rows if row.due != EXPIRED and is_only_due(row)]
    wrong = [row for row in rows if row.warning and row not in soon]
    if wrong:
        return broken(CERTIFICATES, "; ".join(f"{row.file}: {row.warning}" for row in wrong), renew)
    if soon:
        return unknown(CERTIFICATES, "; ".join(map(remaining_time, soon)), renew)
    first = min((row for row in rows if row.expires), key=lambda row: row.expires or datetime.max.replace(tzinfo=UTC))
    return ok(CERTIFICATES, f"valid until {first.expires:%Y-%m-%d} ({first.file})")
