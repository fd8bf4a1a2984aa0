"""A request for access to machines: what `access request` writes and `access grant` reads."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.access import wire_format
from machinectl.errors import Hint, MachineError
from machinectl.machines.spoken_fingerprint import spoken_fingerprint
from machinectl.quantities import plural, rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence

# An old request may have been read by many people meanwhile.
VALID_FOR = timedelta(days=7)


@dataclass(frozen=True)
class RequestedMachine:
    """`name` is the owner's name of the machine, `csr` a PKCS#10 request in PEM."""

    name: str
    csr: bytes

    @cached_property
    def key(self) -> certs.PublicKey:
        """The key to sign. Raises MachineError unless the sender has its private key."""
        return certs.requested_key(self.csr)


@dataclass(frozen=True)
class AccessRequest:
    """`sender` is USER@COMPUTER as the other side calls itself; `content` is what people compare."""

    id: str
    made: datetime
    sender: str
    machines: tuple[RequestedMachine, ...]
    content: bytes

    @property
    def fingerprint(self) -> str:
        return spoken_fingerprint(self.content)

    def text(self) -> str:
        names = ", ".join(machine.name for machine in self.machines)
        headline = (
            f"{self.sender} asks for access to {names}. To grant it, type `machinectl access grant` and paste this:"
        )
        return wire_format.pem_text(wire_format.REQUEST, headline, self.content)

    def check_age(self, now: datetime | None = None) -> None:
        """Raise MachineError for an old request."""
        now = now or datetime.now(UTC)
        names = [machine.name for machine in self.machines]
        again = Hint(f"Ask {self.sender} for a new one", "machinectl access request", *names, elsewhere=True)
        if now - self.made > VALID_FOR:
            raise MachineError(
                f"The request has expired: it was made on {self.made:%Y-%m-%d %H:%M} UTC, and is valid for "
                f"{plural(VALID_FOR.days, 'day')}",
                again,
            )


def new_access_request(sender: str, machines: Sequence[RequestedMachine], now: datetime | None = None) -> AccessRequest:
    """Raise MachineError for too many machines."""
    if len(machines) > wire_format.MOST_MACHINES:
        raise MachineError(
            f"A request can name {wire_format.MOST_MACHINES} machines, this one names {len(machines)}",
            Hint("Use several requests, with fewer machines each"),
        )
    made = (now or datetime.now(UTC)).replace(microsecond=0)
    request = secrets.token_hex(wire_format.ID_DIGITS // 2)
    listed = [{"name": machine.name, "csr": machine.csr.decode()} for machine in machines]
    content = wire_format.written_content({"id": request, "made": rfc3339(made), "from": sender, "machines": listed})
    return AccessRequest(request, made, sender, tuple(machines), content)


def read_access_request(data: bytes) -> AccessRequest:
    """Read the request in a text, and check its signatures. Raises MachineError."""
    content = wire_format.pem_content(wire_format.REQUEST, data)
    fields = wire_format.read_content("request", content)
    machines = tuple(requested_machine(part) for part in fields.machines())
    return AccessRequest(
        fields.hexadecimal("id", wire_format.ID_DIGITS), fields.time("made"), fields.sender("from"), machines, content
    )


def requested_machine(fields: wire_format.WireFields) -> RequestedMachine:
    machine = RequestedMachine(fields.name("name"), fields.pem("csr"))
    try:
        _ = machine.key
    except MachineError as exc:
        raise fields.forged("csr") from exc
    return machine
