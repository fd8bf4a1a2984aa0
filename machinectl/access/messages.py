"""Requests for access and their answers, as `access request` and `access grant` write them, and others read them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.access import wire_format
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.machines.spoken_fingerprint import spoken_fingerprint
from machinectl.quantities import plural, rfc3339
from machinectl.ssh.keys.known_hosts import is_wide, parse_line
from machinectl.url import parse_url

if TYPE_CHECKING:
    from collections.abc import Sequence

# An old request may have been read by many people meanwhile.
VALID_FOR = timedelta(days=7)
KEY_DIGITS = 64
LONGEST_URL = 512


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


@dataclass(frozen=True)
class AnsweredMachine:
    """`name` is the owner's name of the machine in the request, `called` today's if that is another one.

    `ca` verifies the engine; it may be several, as in a ca.pem that `create --tls-dir` was given. `certificate` is for
    the asker's key, whose SHA256 is `key`, followed by the holder's CA, and ends at `until`. `known_hosts` are lines
    of that file. `addresses` are further ones of the host in `url`.
    """

    name: str
    url: str
    until: datetime
    ca: bytes
    certificate: bytes
    key: str
    known_hosts: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    addresses: tuple[str, ...] = ()
    called: str = ""

    def fields(self) -> dict[str, object]:
        # Versions that do not know these read all the rest.
        newer = {"addresses": list(self.addresses), "called": self.called}
        return {
            **{key: value for key, value in newer.items() if value},
            "name": self.name,
            "url": self.url,
            "until": rfc3339(self.until),
            "ca": self.ca.decode(),
            "certificate": self.certificate.decode(),
            "key": self.key,
            "known_hosts": list(self.known_hosts),
            "labels": dict(self.labels),
        }


@dataclass(frozen=True)
class AccessAnswer:
    """`request` is the ID of the request, `sender` is USER@COMPUTER; `content` is what people compare."""

    request: str
    made: datetime
    sender: str
    machines: tuple[AnsweredMachine, ...]
    content: bytes

    @property
    def fingerprint(self) -> str:
        return spoken_fingerprint(self.content)

    def text(self) -> str:
        names = ", ".join(machine.name for machine in self.machines)
        headline = f"{self.sender} gives access to {names}. To use it, type `machinectl access accept` and paste this:"
        return wire_format.pem_text(wire_format.ANSWER, headline, self.content)


def new_access_answer(
    request: str, sender: str, machines: Sequence[AnsweredMachine], now: datetime | None = None
) -> AccessAnswer:
    made = (now or datetime.now(UTC)).replace(microsecond=0)
    listed = [machine.fields() for machine in machines]
    content = wire_format.written_content({"request": request, "made": rfc3339(made), "by": sender, "machines": listed})
    return AccessAnswer(request, made, sender, tuple(machines), content)


def read_access_answer(data: bytes) -> AccessAnswer:
    """Read the answer in a text. Raises MachineError, also for a URL that could mean something on this computer."""
    content = wire_format.pem_content(wire_format.ANSWER, data)
    fields = wire_format.read_content("answer", content)
    machines = tuple(answered_machine(part) for part in fields.machines())
    return AccessAnswer(
        fields.hexadecimal("request", wire_format.ID_DIGITS),
        fields.time("made"),
        fields.sender("by"),
        machines,
        content,
    )


def answered_machine(fields: wire_format.WireFields) -> AnsweredMachine:
    url = fields.text("url", longest=LONGEST_URL)
    try:
        scheme = parse_url(url).scheme
    except UsageError as exc:
        raise fields.forged("url") from exc
    if scheme != "tcp":
        raise MachineError(
            f'The answer gives "{fields.name("name")}" the URL {url}: it must begin with tcp://',
            Hint("Do not use it; ask its sender, and compare the fingerprints"),
        )
    until, certificate = fields.time("until"), fields.certificates("certificate")
    if until != certs.describe(certificate).not_after:
        raise fields.forged("until")
    return AnsweredMachine(
        fields.name("name"),
        url,
        until,
        fields.certificates("ca"),
        certificate,
        fields.hexadecimal("key", KEY_DIGITS),
        host_key_lines(fields),
        tuple(sorted(fields.labels("labels").items())),
        fields.addresses("addresses"),
        fields.optional_name("called"),
    )


def host_key_lines(fields: wire_format.WireFields) -> tuple[str, ...]:
    """Take plain keys of named hosts only: a line may not trust a CA for every host."""
    lines = fields.lines("known_hosts")
    for line in lines:
        if parse_line(line) is None or is_wide(line):
            raise fields.forged("known_hosts")
    return lines
