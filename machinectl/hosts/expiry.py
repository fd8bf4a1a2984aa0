"""List certificates, their expiry and problems."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.errors import BY_SERVICE, SET_CLOCK, Hint, MachineError
from machinectl.files.fileset import read_regular_file
from machinectl.json_values import go_names
from machinectl.machines.tls_warnings import renewing, repair_hint, unusable_certificates
from machinectl.quantities import plural, rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from machinectl.machines.store import Store


# Owners need time to find a maintenance window: the engine restarts for a new certificate. A certificate of a week is
# renewed in its last third.
WARN_WITHIN, WARN_SHARE = timedelta(days=30), 1 / 3
HOURS = timedelta(days=2)
EXPIRED, EXPIRES, NOT_YET = "expired", "expires in ", "not valid before "
KEY_FILES = {"ca.pem": "ca-key.pem", "cert.pem": "key.pem", "server.pem": "server-key.pem"}


@dataclass(frozen=True)
class CertificateRow:
    """`due`: it has expired, or expires soon; `early`: it is not valid yet; `fault`: what else is wrong with it.

    Only `fault` is set if it cannot be read.
    """

    machine: str
    file: str
    subject: str = ""
    sans: tuple[str, ...] = ()
    issuer: str = ""
    expires: datetime | None = None
    days_left: int | None = None
    due: str = ""
    early: str = ""
    fault: str = ""

    @property
    def warning(self) -> str:
        return "; ".join(filter(None, (self.due, self.early, self.fault)))

    def fields(self) -> dict[str, object]:
        """Return JSON fields, with RFC 3339 times."""
        found = go_names(asdict(self))
        for name in ("Due", "Early", "Fault"):
            del found[name]
        expires = self.expires and rfc3339(self.expires)
        return {"Name": found.pop("Machine"), **found, "Expires": expires, "Warning": self.warning}

    def cells(self) -> list[str]:
        day = f"{self.expires:%Y-%m-%d}" if self.expires else ""
        left = "" if self.days_left is None else str(self.days_left)
        sans = " ".join(self.sans)
        return [self.machine, self.file, self.subject, sans, self.issuer, day, left, self.warning]


def remaining_time(row: CertificateRow) -> str:
    if row.days_left is None:
        return f"{row.file}: {row.warning}"
    if row.days_left < 0:
        return f"{row.file} has expired"
    if row.days_left < HOURS.days and row.due:
        return f"{row.file} {row.due}"
    return f"{row.file} has {plural(row.days_left, 'day')} left"


def renewal_command(store: Store, name: str, under: Iterable[CertificateRow]) -> Hint:
    under = list(under)
    if any(row.early for row in under):
        return Hint(f"If the clock here is wrong, set it {BY_SERVICE}", SET_CLOCK)
    try:
        machine = store.read(name)
        if unusable_certificates(machine):
            return repair_hint(machine)
        return renewing(machine, {row.file for row in under}, due=all(map(is_only_due, under)))
    except MachineError:
        return Hint("See what is wrong", "machinectl inspect", name)


def is_only_due(row: CertificateRow) -> bool:
    """Return whether its date is all that is wrong with it."""
    return bool(row.due) and not row.fault


def certificate_rows(machine: str, directory: str, now: datetime) -> Iterator[CertificateRow]:
    for file, key_file in KEY_FILES.items():
        path = os.path.join(directory, file)
        if not os.path.lexists(path):
            if os.path.lexists(os.path.join(directory, key_file)):
                yield CertificateRow(machine, file, fault=f"missing, though {key_file} is there")
            continue
        try:
            described = certs.describe_all(read_regular_file(path), file=file)
        except MachineError as exc:
            yield CertificateRow(machine, file, fault=exc.cause)
            continue
        # In ca.pem every certificate is a CA; in the other files all but the first are the chain.
        for description in described if file == "ca.pem" else described[:1]:
            yield CertificateRow(
                machine,
                file,
                description.subject,
                description.sans,
                description.issuer,
                description.not_after,
                description.days_left(now),
                *certificate_faults(directory, file, description, now),
            )


def certificate_faults(
    directory: str, file: str, description: certs.Description, now: datetime
) -> tuple[str, str, str]:
    """Return `due`, `early` and `fault` of its row."""
    begin, end = description.not_before, description.not_after
    if description.days_left(now) < 0:
        return EXPIRED, "", ""
    if begin > now:
        return "", f"{NOT_YET}{begin:%Y-%m-%d %H:%M} UTC", ""
    soon = expires_in(end, now) if expires_soon(begin, end, now) else ""
    return soon, "", certificate_mismatch(directory, file, now)


def expires_soon(begin: datetime, end: datetime, now: datetime) -> bool:
    return end - now < min(WARN_WITHIN, (end - begin) * WARN_SHARE)


def expires_in(end: datetime, now: datetime) -> str:
    left = end - now
    if left >= HOURS:
        return f"{EXPIRES}{left.days} days"
    unit = "hours" if left >= timedelta(hours=1) else "minutes" if left >= timedelta(minutes=1) else "seconds"
    return EXPIRES + plural(left // timedelta(**{unit: 1}), unit.removesuffix("s"))


def certificate_mismatch(directory: str, file: str, now: datetime) -> str:
    """Return why it does not match its key or CA, or ""."""
    ca, cert, key = (os.path.join(directory, each) for each in ("ca.pem", file, KEY_FILES[file]))
    missing = [os.path.basename(each) for each in (ca, key) if not os.path.lexists(each)]
    # Keeping the CA's key elsewhere is good practice.
    if file == "ca.pem" and missing:
        return ""
    if missing:
        return f"{' and '.join(missing)} missing"
    try:
        if file == "ca.pem":
            certs.ca_pair(read_regular_file(ca), read_regular_file(key), now=now)
        else:
            check = certs.client_bundle if file == "cert.pem" else certs.server_bundle
            check(read_regular_file(ca), read_regular_file(cert), read_regular_file(key), now=now)
    except MachineError as exc:
        return exc.cause
    return ""
