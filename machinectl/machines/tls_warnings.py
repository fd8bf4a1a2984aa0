"""Warnings about missing and expired certificates, and about unprotected ports. Light path."""

from __future__ import annotations

import os
import time

from machinectl.errors import Hint, MachineError, put_certificates_in
from machinectl.files.atomic import quote_word, read_file
from machinectl.machines.record import GRANTED, ask_owner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from machinectl.console import Console
    from machinectl.machines.record import Machine

CERTIFICATES = {
    "cert.pem": "Your certificate for",
    "ca.pem": "The CA of",
    "server.pem": "The certificate of",
}
# Files that docker reads in DOCKER_CERT_PATH.
CLIENTS = ("ca.pem", "cert.pem", "key.pem")
# Seconds around the expiry for which the hour matters, too: access is given for days or hours.
NEAR = 2 * 86400


def expired_certificate(machine: Machine, now: datetime | None = None) -> MachineError | None:
    """Read the machine's files, without cryptography. The client's certificate comes first: docker shows it first."""
    if not machine.tls or (now is None and not may_have_expired(machine)):
        return None
    from datetime import UTC, datetime

    now = now or datetime.now(UTC)
    over = {file: end for file in CERTIFICATES if (end := expiry_of(machine, file)) and end < now}
    for file, end in over.items():
        when = expiry_words(end, now)
        return MachineError(f'{CERTIFICATES[file]} "{machine.name}" expired on {when}', renewing(machine, over))
    return None


def may_have_expired(machine: Machine) -> bool:
    """Return False if none has expired. True may be only one of several CAs in ca.pem."""
    from machinectl.certificate_dates import end_before

    now = time.strftime("%Y%m%d%H%M%S", time.gmtime()).encode()
    return any(end_before(read_certificate(machine, file), now) for file in CERTIFICATES)


def read_certificate(machine: Machine, file: str) -> bytes:
    """Return b"" if it cannot be read."""
    try:
        return read_file(os.path.join(machine.directory, file))
    except OSError:
        return b""


def unusable_certificates(machine: Machine) -> MachineError | None:
    """Return which files docker will not find, or cannot read. Opens none: whether they are damaged, docker says."""
    paths = {file: os.path.join(machine.directory, file) for file in CLIENTS}
    unusable = [file for file, path in paths.items() if not is_usable(path)] if machine.tls else []
    if not unusable:
        return None
    what = f"no readable {' and '.join(unusable)}" if len(unusable) < len(CLIENTS) else "no certificates"
    where = machine.directory if machine.directory.isprintable() else quote_word(machine.directory)
    need = f"docker needs ca.pem, cert.pem and key.pem in {where}"
    return MachineError(f'"{machine.name}" has {what}: {need}', repair_hint(machine))


def is_usable(path: str) -> bool:
    return os.path.isfile(path) and os.path.getsize(path) > 0 and os.access(path, os.R_OK)


def repair_hint(machine: Machine) -> Hint:
    """Return the command that replaces missing or damaged certificates of the client."""
    if machine.access.get("state") == GRANTED:
        return ask_owner(machine)
    if makes_certificates(machine):
        return Hint("Replace them", "machinectl provision", machine.name)
    return put_certificates_in(machine.name)


def makes_certificates(machine: Machine) -> bool:
    """Return whether its host was set up from here. The key of a CA that is here may be kept elsewhere."""
    ca, key = (os.path.join(machine.directory, file) for file in ("ca.pem", "ca-key.pem"))
    has_ca = os.path.isfile(ca) and os.path.getsize(ca)
    return machine.has_changes and (os.path.lexists(key) or not has_ca)


def expiry_words(end: datetime, now: datetime) -> str:
    """Return the day, near it with the time."""
    is_near = abs((now - end).total_seconds()) < NEAR
    return f"{end:%Y-%m-%d %H:%M} UTC" if is_near else f"{end:%Y-%m-%d}"


def expiry_of(machine: Machine, file: str) -> datetime | None:
    """Return the latest expiry if there are several CAs."""
    from machinectl.certificate_dates import expiry_dates

    found = expiry_dates(read_certificate(machine, file))
    return max(found if file == "ca.pem" else found[:1], default=None)


def renewing(machine: Machine, files: Collection[str], *, due: bool = True) -> Hint:
    """Return the command that renews `files`; not only when they are `due`, if they are damaged."""
    if machine.access.get("state") == GRANTED:
        return ask_owner(machine)
    name = machine.name
    has_ca_key = set(files) == {"cert.pem"} and os.path.lexists(os.path.join(machine.directory, "ca-key.pem"))
    if not (machine.has_changes or has_ca_key):
        return put_certificates_in(name)
    flags = [flag for file, flag in (("cert.pem", "--client-certs"), ("ca.pem", "--new-ca")) if file in files]
    if due and "--new-ca" not in flags:
        return Hint("Renew them", "machinectl renew --due", name)
    return Hint("Renew them", "machinectl regenerate-certs", *flags, name)


def advise(console: Console, machine: Machine) -> None:
    if problem := unusable_certificates(machine):
        console.warn(problem.cause, problem.hint)
    if warning := unprotected(machine):
        console.warn(warning)


def unprotected(machine: Machine) -> str:
    if machine.tls or not machine.url.startswith("tcp://"):
        return ""
    return f"{machine.url} is not protected by TLS: whoever reaches that port is root on the host"
