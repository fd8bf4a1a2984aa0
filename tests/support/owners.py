"""The owner of machines, who answers requests for access without a host."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from machinectl import certs
from machinectl.access.access_answer import AccessAnswer, AnsweredMachine, new_access_answer
from machinectl.access.access_request import read_access_request

if TYPE_CHECKING:
    from machinectl.access.access_request import RequestedMachine

HOST_KEY = "machinectl ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS"
# The CAs are older than each certificate of a test.
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Owner:
    """`ca` verifies the engines; clients are signed by `holder`, as after `access grant --for WHO`."""

    url: str = "tcp://192.0.2.29:2376"
    name: str = "bob@desk"
    who: str = ""
    ca: certs.Pair = field(default_factory=lambda: certs.new_ca("machinectl orionbox", now=LONG_AGO))
    holder: certs.Pair = field(default_factory=lambda: certs.new_ca("machinectl orionbox alice", now=LONG_AGO))

    def answer(
        self, request: str, *, lifetime: timedelta = timedelta(days=7), now: datetime | None = None, **other: Any
    ) -> AccessAnswer:
        """Answer a request; `other` replaces fields of its machines."""
        asked = read_access_request(request.encode())
        moment = now or datetime.now(UTC)
        machines = [
            replace(self.granted(each, self.who or asked.sender, moment + lifetime, moment), **other)
            for each in asked.machines
        ]
        return new_access_answer(asked.id, self.name, machines, moment)

    def text(self, request: str, *, lifetime: timedelta = timedelta(days=7), **other: Any) -> str:
        return self.answer(request, lifetime=lifetime, **other).text()

    def granted(self, machine: RequestedMachine, who: str, until: datetime, now: datetime) -> AnsweredMachine:
        certificate = self.signed(machine.csr, until, now, who) + self.holder.certificate
        labels = (("role", "web"),)
        return AnsweredMachine(
            machine.name, self.url, until, self.ca.certificate, certificate, machine.key.digest, (HOST_KEY,), labels
        )

    def signed(self, csr: bytes, until: datetime, now: datetime, who: str = "alice") -> bytes:
        return certs.sign_client(self.holder, certs.requested_key(csr).pem, who, until, now=now)
