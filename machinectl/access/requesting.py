"""Ask for access to somebody else's machines, and for new certificates: requests and their keys."""

from __future__ import annotations

import os
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from machinectl import certs
from machinectl.access.messages import (
    VALID_FOR,
    RequestedMachine,
    new_access_request,
    read_access_request,
)
from machinectl.errors import NO_HINT, Hint, MachineError, UsageError
from machinectl.files.fileset import read_regular_file
from machinectl.files.user_files import check_new_file
from machinectl.hosts.host_lock import user_at_computer
from machinectl.machines.holders import HOLDER_CHARACTERS, LONGEST_HOLDER, OwnAccess, check_holder_name, is_sender
from machinectl.machines.record import (
    Machine,
    Phase,
    ask_owner,
    check_name,
    check_ready,
    waits_for_access,
)
from machinectl.machines.selection import matching, require_names, waiting
from machinectl.machines.store.docker_machine import check_apart
from machinectl.quantities import rfc3339
from machinectl.value_classes import replace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.access.messages import AccessRequest
    from machinectl.console import Console
    from machinectl.machines.store import Held, Store

KEY, CERTIFICATE = "key.pem", "cert.pem"
# The last request for the machine, until its answer is accepted.
REQUEST_FILE = "access-request.txt"


class AskedMachine(NamedTuple):
    """The name here and the owner's name of a machine to ask for."""

    local: str
    asked: str


def access_request(
    store: Store, console: Console, words: Sequence[str], *, who: str | None = None, output: str = ""
) -> AccessRequest:
    """Make keys and a request for machines, named NAME or LOCAL:NAME. Repeated, it returns the same request.

    For some of the machines that were asked for together, it returns their request, too. A new one needs a new file
    `output`, if that is given.
    """
    require_names(words, "access request")
    who = who_asks(who) if who is not None else ""
    asked = [asked_machine(store, word) for word in words]
    for names in ([machine.local for machine in asked], [machine.asked for machine in asked]):
        check_different(names)
    if not all(store.exists(machine.local) for machine in asked):
        check_apart(store.root)
    with ExitStack() as stack:
        # Sorted, so that two runs cannot wait for each other.
        names = sorted((machine.local for machine in asked), key=str.lower)
        held = {name: stack.enter_context(store.writing(name, waiting(console, name))) for name in names}
        waiting_here = [store.read(machine.local) for machine in asked if store.exists(machine.local)]
        if again := repeated_request(waiting_here, [machine.asked for machine in asked], who):
            return again
        names_before = [own.who for machine in waiting_here if (own := OwnAccess.of(machine))]
        sender = who or next(iter(names_before), "") or who_asks()
        if output:
            check_new_file(output)
        return made_request(console, held, asked, sender)


def asked_machine(store: Store, word: str) -> AskedMachine:
    """Raise MachineError for a machine that is here and does not wait for access."""
    local, colon, asked = word.rpartition(":")
    if colon and not local:
        raise UsageError(
            f'"{word}" has no name before the colon',
            Hint("To keep the owner's name", "machinectl access request", asked),
        )
    name = local or asked
    machine = store.read(name) if store.exists(name) else None
    own = OwnAccess.of(machine) if machine else None
    if own and machine and waits_for_access(machine):
        if local and own.asked != asked:
            raise UsageError(
                f'"{local}" waits for access to "{own.asked}", not to "{asked}"',
                Hint("Forget it first", "machinectl rm", local),
            )
        return AskedMachine(name, own.asked)
    for needed in (name, asked):
        check_name(needed, "requesting access to")
    if own:
        raise MachineError(
            f'You have access to "{name}" already', Hint("Ask for a new certificate", "machinectl access renew", name)
        )
    if machine:
        raise UsageError(
            f'"{machine.name}" is here already',
            Hint("Give the new one another name", f"machinectl access request <NAME>:{asked}"),
        )
    store.check_free(name)
    return AskedMachine(name, asked)


def check_different(names: Sequence[str]) -> None:
    lower = [name.lower() for name in names]
    if twice := next((name for name in names if lower.count(name.lower()) > 1), ""):
        raise UsageError(f'"{twice}" is named twice', Hint("Name each machine once"))


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


def made_request(console: Console, held: dict[str, Held], asked: Sequence[AskedMachine], who: str) -> AccessRequest:
    keys = [own_key(held[machine.local]) or certs.new_key() for machine in asked]
    request = signed_request(who, asked, keys)
    for (local, name), key in zip(asked, keys, strict=True):
        own = recorded_request(request, OwnAccess(name, request.sender, request.id, ""))
        files = {KEY: key, REQUEST_FILE: request.text().encode()}
        if held[local].store.exists(local):
            held[local].write_files(files)
            held[local].machine.access = own.dump()
            held[local].write()
            continue
        machine = Machine(local, "none", tls=True)
        machine.phase = Phase.CREATING
        machine.access = own.dump()
        if note := held[local].add(machine, files):
            console.note(note)
    return request


def access_renew(
    store: Store, console: Console, names: Sequence[str], *, output: str = ""
) -> tuple[AccessRequest, str]:
    """Return the request, the same again if it is repeated, and the owner's name.

    Without names, renew all machines that were shared with this computer. A new request needs a new file `output`,
    if that is given.
    """
    chosen, owner = shared_machines(store, names)
    with ExitStack() as stack:
        held = [stack.enter_context(store.writing(name, waiting(console, name))) for name in chosen]
        machines = [check_ready(locked.machine) for locked in held]
        keys = [own_key(locked) for locked in held]
        for machine, key in zip(machines, keys, strict=True):
            if not key:
                raise MachineError(f'The key of "{machine.name}", {KEY}, is missing here', ask_owner(machine))
        owns = [own for machine in machines if (own := OwnAccess.of(machine))]
        if again := repeated_request(machines, [own.asked for own in owns]):
            return again, owner
        if output:
            check_new_file(output)
        asked = [AskedMachine(locked.name, own.asked) for locked, own in zip(held, owns, strict=True)]
        request = signed_request(owns[0].who, asked, keys)
        for locked, own in zip(held, owns, strict=True):
            locked.write_files({REQUEST_FILE: request.text().encode()})
            locked.machine.access = recorded_request(request, own).dump()
            locked.write()
        return request, owner


def shared_machines(store: Store, names: Sequence[str]) -> tuple[list[str], str]:
    """Return these machines, or all that were shared with this computer, and who shared them.

    Raises UsageError for machines of several owners: each answers a request of its own.
    """
    named = sorted(set(matching(names, store.names)), key=str.lower)
    by_owner: dict[str, list[str]] = {}
    for name in named or store.names():
        if named:
            store.check_exists(name)
        machine = store.read(name) if named else store.read_or_none(name)
        if machine is None or (waits_for_access(machine) and not named):
            continue
        if own := OwnAccess.of(check_ready(machine)):
            by_owner.setdefault(own.by, []).append(name)
        elif named:
            raise MachineError(
                f'"{name}" was not shared with this computer: its certificates are its own',
                Hint("Renew them", "machinectl regenerate-certs --client-certs", name),
            )
    if not by_owner:
        raise MachineError(
            "No machine was shared with this computer",
            Hint("Ask its owner for access", "machinectl access request <NAME>"),
        )
    [(owner, shared), *others] = by_owner.items()
    if others:
        hint = NO_HINT
        for by, theirs in by_owner.items():
            hint |= Hint(f"For {by}", "machinectl access renew", *theirs)
        raise UsageError(f"These machines have several owners: {', '.join(by_owner)}", hint)
    return shared, owner


def own_key(held: Held) -> bytes:
    """Return the machine's private key, b"" without one."""
    path = os.path.join(held.directory, KEY)
    return read_regular_file(path) if os.path.lexists(path) else b""


def signed_request(who: str, asked: Sequence[AskedMachine], keys: Sequence[bytes]) -> AccessRequest:
    pairs = zip(asked, keys, strict=True)
    return new_access_request(
        who, [RequestedMachine(machine.asked, certs.signing_request(key, who)) for machine, key in pairs]
    )


def recorded_request(request: AccessRequest, own: OwnAccess) -> OwnAccess:
    return replace(own, request=request.id, made=rfc3339(request.made))


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
    requests = [pending_request(machine) for machine in machines]
    if not requests or requests[0] is None or any(request != requests[0] for request in requests):
        return None
    is_in = {machine.name for machine in requests[0].machines}.issuperset(asked)
    return requests[0] if is_in and who in {"", requests[0].sender} else None


def own_digest(machine: Machine) -> str:
    """Return the SHA256 of the machine's public key, "" without a key."""
    try:
        return certs.own_public_key(read_regular_file(os.path.join(machine.directory, KEY))).digest
    except MachineError:
        return ""
