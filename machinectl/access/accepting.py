"""Accept answers: find the machines that asked, check the certificates, and make the machines ready."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.access.requesting import CERTIFICATE, KEY, REQUEST_FILE, own_digest
from machinectl.access.wire.access_request import CLOCKS_DIFFER, clock_difference, read_access_request
from machinectl.driver import Request
from machinectl.driver.installed_drivers import load
from machinectl.errors import BY_SERVICE, SET_CLOCK, Hint, MachineError
from machinectl.files.fileset import read_regular_file
from machinectl.machines.addresses import place_of
from machinectl.machines.holders import is_sender
from machinectl.machines.machine_driver import KNOWN_HOSTS, driver_instance
from machinectl.machines.own_access import OwnAccess
from machinectl.machines.record import GRANTED, Machine, Phase, waits_for_access
from machinectl.quantities import LONGEST_LIFETIME, rfc3339
from machinectl.url import parse_url
from machinectl.value_classes import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.access.wire.access_answer import AccessAnswer, AnsweredMachine
    from machinectl.machines.store import Held, Store

CA = "ca.pem"
LONGEST_VALIDITY = timedelta(seconds=LONGEST_LIFETIME) + certs.BACKDATED


@dataclass(frozen=True)
class AcceptedMachine:
    """`name` is the machine here, `is_new` unless only its certificate is renewed, `is_done` after an earlier run.

    `new_url` is what the owner has changed the URL to since the last answer, or "": a renewal replaces certificates
    alone. `holder` is the owner's name of this computer, if that is not the one in the request.
    """

    name: str
    answered: AnsweredMachine
    is_new: bool
    is_done: bool
    new_url: str = ""
    holder: str = ""


@dataclass(frozen=True)
class Acceptance:
    """The effect of an answer here. `left_out` were removed here since they were asked for, or asked for again."""

    answer: AccessAnswer
    machines: tuple[AcceptedMachine, ...]
    left_out: tuple[str, ...] = ()


def acceptance(store: Store, answer: AccessAnswer, now: datetime | None = None) -> Acceptance:
    """Match an answer with the machines here, and check it. Raises MachineError for one that is not for them."""
    asking = asking_machines(store, answer)
    by_name = {str(machine.access["asked"]): machine for machine in asking}
    check_asked(answer, asking)
    found = []
    for each in answer.machines:
        if machine := by_name.get(each.name):
            check_certificate(machine, answer, each, now or datetime.now(UTC))
            found.append(accepted_machine(machine, each))
    left_out = tuple(each.name for each in answer.machines if each.name not in by_name)
    if not found:
        raise MachineError(
            f"The machines of this answer were removed here, or asked for again: {', '.join(left_out)}",
            Hint("See the last request, or make one", "machinectl access request", *left_out),
        )
    return Acceptance(answer, tuple(found), left_out)


def accepted_machine(machine: Machine, answered: AnsweredMachine) -> AcceptedMachine:
    is_new, is_done = waits_for_access(machine), is_accepted_already(machine, answered)
    own = OwnAccess.of(machine)
    moved = own is not None and not is_new and answered.url not in {own.url, machine.url}
    named = holder_name(own, answered) if own else ""
    return AcceptedMachine(
        machine.name,
        answered,
        is_new,
        is_done,
        answered.url if moved else "",
        named if own and named != own.who else "",
    )


def holder_name(own: OwnAccess, answered: AnsweredMachine) -> str:
    """Return the owner's name of this computer, by which the access can be ended."""
    name = certs.certified_name(answered.certificate)
    return name if is_sender(name) else own.who


def asking_machines(store: Store, answer: AccessAnswer) -> list[Machine]:
    found = [machine for machine in machines_with_access(store) if machine.access["request"] == answer.request]
    if found:
        return found
    if later := machine_with_key(store, {each.key for each in answer.machines}):
        raise earlier_request(later)
    raise MachineError(
        f"No machine here has asked for this answer (request {answer.request}): it is for another computer or user, "
        "or the machine was removed",
        Hint("Ask again", "machinectl access request", *(each.name for each in answer.machines)),
    )


def machines_with_access(store: Store) -> Iterator[Machine]:
    for name in store.names():
        try:
            machine = store.read(name)
        except MachineError:
            continue
        if OwnAccess.of(machine):
            yield machine


def machine_with_key(store: Store, digests: set[str]) -> Machine | None:
    return next((machine for machine in machines_with_access(store) if own_digest(machine) in digests - {""}), None)


def earlier_request(machine: Machine) -> MachineError:
    return MachineError(
        f'This answer is to an earlier request for "{machine.name}"',
        asking("Use the answer to the last request, which this shows", machine),
    )


def asking(text: str, machine: Machine) -> Hint:
    verb = "request" if waits_for_access(machine) else "renew"
    return Hint(text, f"machinectl access {verb}", machine.name)


def check_asked(answer: AccessAnswer, asking: list[Machine]) -> None:
    asked = {str(machine.access["asked"]) for machine in asking}
    for machine in asking:
        try:
            request = read_access_request(read_regular_file(os.path.join(machine.directory, REQUEST_FILE)))
        except MachineError:
            continue
        # It also names machines that were removed or asked for again since.
        asked |= {each.name for each in request.machines} if request.id == answer.request else set()
    if unknown := [each.name for each in answer.machines if each.name not in asked]:
        raise MachineError(
            f"The answer names machines that you did not ask for: {', '.join(unknown)}",
            Hint(f"Do not use it; ask {answer.sender} for another one, and compare the fingerprints"),
        )


def check_certificate(machine: Machine, answer: AccessAnswer, answered: AnsweredMachine, now: datetime) -> None:
    """Raise MachineError for a certificate of another key or kind, an expired one, and one that this clock refuses."""
    key = read_regular_file(os.path.join(machine.directory, KEY))
    certified = certs.public_key_digest(answered.certificate, file="The answer's certificate")
    if certs.own_public_key(key).digest != answered.key or certified != answered.key:
        raise MachineError(
            f'The answer is for another key than that of "{machine.name}"',
            asking(f"Send {answer.sender} the request of this computer", machine),
        )
    until = answered.until
    if until <= now:
        raise MachineError(
            f"The certificate in the answer expired on {until:%Y-%m-%d %H:%M} UTC, {clock_difference(now - until)} ago "
            "by the clock here",
            asking("Ask for a new one", machine) | Hint(f"or, if the clock is wrong, set it {BY_SERVICE}", SET_CLOCK),
        )
    check_kind(answer, certs.describe(answered.certificate))
    check_newer(machine, answer, answered)
    files = [f"{file} of the answer" for file in (CA, CERTIFICATE)]
    certs.client_bundle(answered.ca, answered.certificate, key, files=[*files, KEY], now=now)


def check_kind(answer: AccessAnswer, certificate: certs.Description) -> None:
    """Raise MachineError for a certificate that `access grant` does not make."""
    why = ""
    if certificate.is_ca:
        why = "is a CA's"
    elif certificate.usages != ("clientAuth",):
        why = "is not for clients only"
    elif certificate.not_after - certificate.not_before > LONGEST_VALIDITY:
        why = "is valid for more than 90 days"
    if why:
        raise MachineError(
            f"The certificate in the answer {why}, and machinectl grants none like it",
            Hint(f"Do not use it; ask {answer.sender} for another one, and compare the fingerprints"),
        )


def check_newer(machine: Machine, answer: AccessAnswer, answered: AnsweredMachine) -> None:
    """Raise MachineError for the older of two answers to one request."""
    own = OwnAccess.of(machine)
    if own is None or own.answered != answer.request:
        return
    there = content(machine.directory, CERTIFICATE)
    if there and certs.describe(answered.certificate).not_before < certs.describe(there).not_before:
        raise MachineError(
            f'A newer answer to this request was accepted already for "{machine.name}"',
            Hint("Keep that one; see", "machinectl access ls", machine.name),
        )


def clock_warning(answer: AccessAnswer, machine: Machine, now: datetime) -> str:
    """Return by how much the two clocks differ at least, or ""."""
    own = OwnAccess.of(machine)
    asked = datetime.fromisoformat(own.made) if own and own.made else answer.made
    ahead = max(answer.made - now, asked - answer.made)
    if ahead <= CLOCKS_DIFFER:
        return ""
    which = "ahead of" if answer.made - now > CLOCKS_DIFFER else "behind"
    return f"The clock of {answer.sender} is {clock_difference(ahead)} {which} the clock here"


def is_accepted_already(machine: Machine, answered: AnsweredMachine) -> bool:
    own = OwnAccess.of(machine)
    if machine.phase != Phase.READY or own is None or own.is_pending:
        return False
    return read_regular_file(os.path.join(machine.directory, CERTIFICATE)) == answered.certificate


def accept_machine(held: Held, answer: AccessAnswer, answered: AnsweredMachine) -> None:
    """Make the machine ready, or renew its certificate by one rename. A killed run can be repeated."""
    machine = held.machine
    own = OwnAccess.of(machine)
    if own is None or own.request != answer.request:
        raise MachineError(
            f'"{machine.name}" was changed meanwhile', Hint("Accept the answer again", "machinectl access accept")
        )
    held.finish_files()
    write_certificates(held, answered)
    if waits_for_access(machine):
        register(machine, answered)
    accepted = replace(own, who=holder_name(own, answered), state=GRANTED, answered=own.request)
    machine.access = replace(
        accepted, until=rfc3339(answered.until), by=answer.sender, url=answered.url, called=answered.called
    ).dump()
    held.write()
    held.write_files({REQUEST_FILE: b""})


def write_certificates(held: Held, answered: AnsweredMachine) -> None:
    known_hosts = "".join(f"{line}\n" for line in answered.known_hosts).encode()
    files = {CA: answered.ca, CERTIFICATE: answered.certificate, KNOWN_HOSTS: known_hosts}
    changed = {file: data for file, data in files.items() if data and data != content(held.directory, file)}
    if not waits_for_access(held.machine):
        # Its user may have accepted other host keys since.
        changed.pop(KNOWN_HOSTS, None)
    if list(changed) == [CERTIFICATE]:
        held.write_file(CERTIFICATE, changed[CERTIFICATE])
    elif changed:
        held.write_files(changed)


def content(directory: str, file: str) -> bytes:
    path = os.path.join(directory, file)
    return read_regular_file(path) if os.path.lexists(path) else b""


def register(machine: Machine, answered: AnsweredMachine) -> None:
    driver = load(machine.driver)
    options = {"url": answered.url}
    request = Request(machine.name, machine.directory, options, tls=True)
    driver.check(request)
    machine.driver_state = driver.create(request, lambda _: None)
    machine.options = dict(options)
    machine.url = driver.where(driver_instance(machine)).url
    machine.tls = True
    machine.labels = dict(answered.labels)
    host = place_of(parse_url(machine.url).host)
    machine.addresses = [address for address in answered.addresses if place_of(address) != host]
    machine.phase = Phase.READY
