"""Ask for access to somebody else's machines: requests and their keys."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from machinectl import certs
from machinectl.access.wire.access_request import (
    VALID_FOR,
    RequestedMachine,
    new_access_request,
    read_access_request,
)
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.files.fileset import read_regular_file
from machinectl.hosts.host_lock import user_at_computer
from machinectl.machines.holders import HOLDER_CHARACTERS, LONGEST_HOLDER, check_holder_name, is_sender
from machinectl.machines.own_access import OwnAccess
from machinectl.machines.record import owners_name, waits_for_access
from machinectl.quantities import rfc3339
from machinectl.value_classes import replace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.access.wire.access_request import AccessRequest
    from machinectl.console import Console
    from machinectl.machines.record import Machine

KEY, CERTIFICATE = "key.pem", "cert.pem"
# The last request for the machine, until its answer is accepted.
REQUEST_FILE = "access-request.txt"


class AskedMachine(NamedTuple):
    """A machine to ask for; `key` is its private key, b"" for one that is not here yet."""

    local: str
    asked: str
    key: bytes = b""


def who_asks(given: str | None = None) -> str:
    """Return a name for the other side, by default USER@COMPUTER. Raises UsageError for one that it refuses."""
    if given is None:
        name = "".join(letter if letter in HOLDER_CHARACTERS else "-" for letter in user_at_computer()).lstrip("._@+-")
        name = name[:LONGEST_HOLDER] or "unknown"
        return name if is_sender(name) else "".join(letter for letter in name if letter.isalnum() or letter == "@")
    check_holder_name(given)
    if not is_sender(given):
        raise UsageError(f"{given!r} could be taken for a fingerprint", Hint("Choose a name like alice or ci-runner"))
    return given


def signed_request(who: str, wanted: Sequence[AskedMachine], now: datetime | None = None) -> AccessRequest:
    machines = [RequestedMachine(each.asked, certs.signing_request(each.key, who)) for each in wanted]
    return new_access_request(who, machines, now)


def pending_request(machine: Machine) -> AccessRequest | None:
    """Return the machine's request if it has no answer yet and is not too old."""
    own = OwnAccess.of(machine)
    if not own or not own.is_pending:
        return None
    try:
        request = read_access_request(read_regular_file(os.path.join(machine.directory, REQUEST_FILE)))
    except MachineError:
        return None
    is_current = request.id == own.request and datetime.now(UTC) - request.made < VALID_FOR
    return request if is_current else None


def repeated_request(machines: Sequence[Machine], asked: Sequence[str], who: str = "") -> AccessRequest | None:
    """Return the request that an earlier run made for all of these machines: its answer may be under way."""
    found = [pending_request(machine) for machine in machines]
    if not found or found[0] is None or any(each != found[0] for each in found):
        return None
    is_in = {machine.name for machine in found[0].machines}.issuperset(asked)
    return found[0] if is_in and who in {"", found[0].sender} else None


def note_replaced(console: Console, machines: Sequence[Machine]) -> None:
    """Say which requests a new one replaces: an answer to them is refused from now on."""
    if replaced := [machine.name for machine in machines if pending_request(machine)]:
        console.note(
            f"This is a new request: an answer to the earlier one for {', '.join(replaced)} is refused from now on"
        )


def recorded_request(request: AccessRequest, own: OwnAccess) -> OwnAccess:
    return replace(own, request=request.id, made=rfc3339(request.made))


def whom_to_ask(machine: Machine) -> MachineError | None:
    """Return why this computer cannot end its access to a machine of somebody else; None for an own machine."""
    own = OwnAccess.of(machine)
    if own is None:
        return None
    if waits_for_access(machine):
        return MachineError(f'"{machine.name}" is waiting for access', Hint("Forget it", "machinectl rm", machine.name))
    return MachineError(
        f'"{machine.name}" is shared by {own.by}, who can end your access',
        Hint(f"Ask {own.by} to type", "machinectl access end", own.who, owners_name(machine), elsewhere=True),
    )


def own_digest(machine: Machine) -> str:
    """Return the SHA256 of the machine's public key, "" without a key."""
    try:
        return certs.own_public_key(read_regular_file(os.path.join(machine.directory, KEY))).digest
    except MachineError:
        return ""


def check_different(words: Sequence[str], given: Sequence[str]) -> None:
    """Raise UsageError if a name stands twice."""
    if twice := next((word for word in words if [each.lower() for each in words].count(word.lower()) > 1), ""):
        raise UsageError(f'"{twice}" is named twice in {" ".join(given)}', Hint("Name each machine once"))
