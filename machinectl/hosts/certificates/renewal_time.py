"""Decide when certificates are due for renewal."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from machinectl import certs
from machinectl.certificate_dates import validities
from machinectl.errors import Hint, MachineError, UsageError, one_line
from machinectl.hosts.certificates.identity import Identity
from machinectl.quantities import parse_duration

if TYPE_CHECKING:
    from datetime import datetime

    from machinectl.machines.record import Machine

PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,9})?)%")
FRACTION = re.compile(r"([0-9]{1,9})/([1-9][0-9]{0,8})")
DECIMAL = re.compile(r"[01](?:\.[0-9]{1,9})?")


class Validity(NamedTuple):
    begin: datetime
    end: datetime


@dataclass(frozen=True)
class LifetimeLeft:
    """A certificate is due with less than `share` of its lifetime, or less than `time`, left.

    Renewal at two thirds of the lifetime leaves a third to repair what fails, as Let's Encrypt and kubelet do.
    """

    share: float = 1 / 3
    time: timedelta | None = None

    @classmethod
    def parse(cls, text: str) -> LifetimeLeft:
        """Read 1/3, 0.3, 30%, 30d or 12h; "" is the default. Raises UsageError."""
        if not text:
            return cls()
        if seconds := parse_duration(text):
            return cls(time=timedelta(seconds=seconds))
        share = None
        if match := PERCENT.fullmatch(text):
            share = float(match[1]) / 100
        elif match := FRACTION.fullmatch(text):
            share = int(match[1]) / int(match[2])
        elif DECIMAL.fullmatch(text):
            share = float(text)
        if share is None or not 0 <= share <= 1:
            raise UsageError(
                f"--lifetime-left takes a share of the lifetime or a time, not {one_line(text)!r}",
                Hint("For example: --lifetime-left 1/3, 30%, 30d or 12h"),
            )
        return cls(share)

    def is_due(self, certificate: Validity, now: datetime) -> bool:
        within = self.time if self.time is not None else (certificate.end - certificate.begin) * self.share
        return certificate.end - now < within


class Due(NamedTuple):
    """The certificates that are due, None for others. `until`: when a machine's first one expires, None without any."""

    server: Validity | None
    client: Validity | None
    until: datetime | None

    @property
    def validities(self) -> list[Validity]:
        return [each for each in (self.server, self.client) if each]

    @property
    def any(self) -> bool:
        return bool(self.validities)


def due_certificates(machine: Machine, window: LifetimeLeft, now: datetime) -> Due:
    """Raise MachineError for an unreadable certificate, and for one that its CA, which ends with it, cannot renew."""
    identity = Identity.read(machine.directory) if machine.tls else Identity()
    server, client = (read_validity(identity, file) for file in ("server.pem", "cert.pem"))
    found = [each for each in (server, client) if each]
    due = [each for each in found if window.is_due(each, now)]
    ca = read_validity(identity, "ca.pem") if due and identity.ca_key else None
    if ca and min(each.end for each in due) >= ca.end:
        raise MachineError(
            f'The CA of "{machine.name}" is valid until {ca.end:%Y-%m-%d}, and no certificate outlasts it',
            Hint(
                "Make a new CA, which locks out its other clients", "machinectl regenerate-certs --new-ca", machine.name
            ),
        )
    until = min((each.end for each in found), default=None)
    return Due(server if server in due else None, client if client in due else None, until)


def read_validity(identity: Identity, file: str) -> Validity | None:
    """Return None if there is no such file. Raises MachineError."""
    pem = identity.files[file]
    if not pem:
        return None
    if found := validities(pem):
        return Validity(*found[0])
    described = certs.describe(pem, file=file)
    return Validity(described.not_before, described.not_after)
