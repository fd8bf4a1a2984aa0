"""Accept answers: find the machines that asked, check the certificates, and make the machines ready."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.access.messages import read_access_request
from machinectl.access.requesting import CERTIFICATE, KEY, REQUEST_FILE, own_digest
from machinectl.driver import Request
from machinectl.driver.installed_drivers import load
from machinectl.errors import BY_SERVICE, SET_CLOCK, Hint, MachineError
from machinectl.files.fileset import read_regular_file
from machinectl.machines.addresses import place_of
from machinectl.machines.holders import OwnAccess, is_sender
from machinectl.machines.machine_driver import KNOWN_HOSTS, driver_instance
from machinectl.machines.record import GRANTED, Machine, Phase, waits_for_access
from machinectl.machines.selection import waiting
from machinectl.machines.spoken_fingerprint import hide_fingerprints
from machinectl.quantities import rfc3339
from machinectl.url import parse_url
from machinectl.value_classes import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.access.messages import AccessAnswer, AnsweredMachine
    from machinectl.console import Console
    from machinectl.machines.store import Held, Store

CA = "ca.pem"


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


def acceptance(store: Store, answer: AccessAnswer) -> Acceptance:
    """Match an answer with the machines here, and check it. Raises MachineError for one that is not for them."""
    asking = asking_machines(store, answer)
    by_name = {str(machine.access["asked"]): machine for machine in asking}
    check_asked(answer, asking)
    pairs = [(by_name[answered.name], answered) for answered in answer.machines if answered.name in by_name]
    for machine, answered in pairs:
        check_certificate(machine, answer, answered, datetime.now(UTC))
    left_out = tuple(answered.name for answered in answer.machines if answered.name not in by_name)
    if not pairs:
        raise MachineError(
            f"The machines of this answer were removed here, or asked for again: {', '.join(left_out)}",
            Hint("See the last request, or make one", "machinectl access request", *left_out),
        )
    return Acceptance(answer, tuple(accepted_machine(*pair) for pair in pairs), left_out)


def acceptance_warnings(store: Store, accepted: Acceptance) -> Iterator[tuple[str, Hint]]:
    sender = accepted.answer.sender
    for name in accepted.left_out:
        hint = Hint("See the last request, or make one", "machinectl access request", name)
        yield f'"{name}" was removed here, or asked for again, and is left out', hint
    for machine in accepted.machines:
        name = machine.name
        known = content(store.directory(name), CA)
        if machine.new_url:
            hint = Hint("Use it", "machinectl set --url", machine.new_url, name)
            yield f'The owner has another URL for "{name}" now: {hide_fingerprints(machine.new_url)}', hint
        if not machine.is_new and machine.answered.ca != known:
            # Renewals become a habit: an answer may fit another engine than the last one.
            cause = "another CA than the one here: it may be another engine" if known else "a CA, and none is here"
            hint = Hint(f"Ask {sender} on the phone whether the machine has a new CA, and which")
            yield f'The answer gives "{name}" {cause}', hint


def accepted_machine(machine: Machine, answered: AnsweredMachine) -> AcceptedMachine:
    own, is_new = OwnAccess.of(machine), waits_for_access(machine)
    if own is None:
        return AcceptedMachine(machine.name, answered, is_new, is_done=False)
    certificate = content(machine.directory, CERTIFICATE)
    is_done = machine.phase == Phase.READY and not own.is_pending and certificate == answered.certificate
    moved = not is_new and answered.url not in {own.url, machine.url}
    who = holder_name(own, answered)
    return AcceptedMachine(
        machine.name, answered, is_new, is_done, answered.url if moved else "", who if who != own.who else ""
    )


def holder_name(own: OwnAccess, answered: AnsweredMachine) -> str:
    """Return the owner's name of this computer, by which the access can be ended."""
    name = certs.certified_name(answered.certificate)
    return name if is_sender(name) else own.who


def asking_machines(store: Store, answer: AccessAnswer) -> list[Machine]:
    machines = store.readable()
    shared = [machine for machine in machines if OwnAccess.of(machine)]
    if asking := [machine for machine in shared if machine.access["request"] == answer.request]:
        return asking
    keys = {answered.key for answered in answer.machines}
    if later := next((machine for machine in shared if own_digest(machine) in keys), None):
        raise MachineError(
            f'This answer is to an earlier request for "{later.name}"',
            ask_again("Use the answer to the last request, which this shows", later),
        )
    raise MachineError(
        f"No machine here has asked for this answer (request {answer.request}): it is for another computer or user, "
        "or the machine was removed",
        Hint("Ask again", "machinectl access request", *(answered.name for answered in answer.machines)),
    )


def ask_again(text: str, machine: Machine) -> Hint:
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
        asked |= {requested.name for requested in request.machines} if request.id == answer.request else set()
    if unknown := [answered.name for answered in answer.machines if answered.name not in asked]:
        raise MachineError(
            f"The answer names machines that you did not ask for: {', '.join(unknown)}",
            Hint(f"Do not use it; ask {answer.sender} for another one, and compare the fingerprints"),
        )


def check_certificate(machine: Machine, answer: AccessAnswer, answered: AnsweredMachine, now: datetime) -> None:
    """Raise MachineError for a certificate of another key or of a CA, an expired one, and an older one."""
    key = read_regular_file(os.path.join(machine.directory, KEY))
    certified = certs.public_key_digest(answered.certificate, file="The answer's certificate")
    if certs.own_public_key(key).digest != answered.key or certified != answered.key:
        raise MachineError(
            f'The answer is for another key than that of "{machine.name}"',
            ask_again(f"Send {answer.sender} the request of this computer", machine),
        )
    if answered.until <= now:
        raise MachineError(
            f"The certificate in the answer expired on {answered.until:%Y-%m-%d %H:%M} UTC, by the clock here",
            ask_again("Ask for a new one", machine)
            | Hint(f"or, if the clock is wrong, set it {BY_SERVICE}", SET_CLOCK),
        )
    certificate = certs.describe(answered.certificate)
    if certificate.is_ca or certificate.usages != ("clientAuth",):
        raise MachineError(
            "The certificate in the answer is not a client's, and machinectl grants no other",
            Hint(f"Do not use it; ask {answer.sender} for another one, and compare the fingerprints"),
        )
    own, before = OwnAccess.of(machine), content(machine.directory, CERTIFICATE)
    is_repeated = own is not None and own.answered == answer.request and before
    if is_repeated and certificate.not_before < certs.describe(before).not_before:
        raise MachineError(
            f'A newer answer to this request was accepted already for "{machine.name}"',
            Hint("Keep that one; see", "machinectl access ls", machine.name),
        )
    files = [f"{file} of the answer" for file in (CA, CERTIFICATE)]
    certs.client_bundle(answered.ca, answered.certificate, key, files=[*files, KEY], now=now)


def access_accept(
    store: Store, console: Console, accepted: Acceptance
) -> Iterator[tuple[AcceptedMachine, MachineError | None]]:
    for machine in accepted.machines:
        error = None
        try:
            with store.writing(machine.name, waiting(console, machine.name)) as held:
                accept_machine(held, accepted.answer, machine.answered)
        except MachineError as exc:
            error = exc
        yield machine, error


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
