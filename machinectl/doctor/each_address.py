"""Examine each of a machine's addresses: whether its engine answers there."""

from __future__ import annotations

import ssl
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from machinectl import url as engine_url
from machinectl.check import Check, broken, ok, unknown
from machinectl.doctor.engine_connectivity import certificate_directory
from machinectl.engine.address_order import foreign_reason, is_foreign
from machinectl.engine.endpoint import Deadline
from machinectl.engine.http import dial
from machinectl.engine.tls import OTHER_NAMES
from machinectl.errors import DOCTOR, Hint, MachineError
from machinectl.hosts.login import moved_hint
from machinectl.hosts.parallel import BackgroundTask
from machinectl.machines.addresses import FLAG
from machinectl.machines.machine_driver import endpoint_of, flag_of_set, ssh_or_none
from machinectl.machines.record import owner_of, owners_name
from machinectl.value_classes import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.machines.record import Machine

TITLE = "Address"
# A factor for the timeout: the name, TCP and TLS.
STEPS = 3


class AddressLook(NamedTuple):
    """`failure` is why the machine's engine does not answer at the address."""

    host: str
    failure: MachineError | None = None


def look_at_addresses(machine: Machine, timeout: float) -> list[AddressLook]:
    """Return nothing for a machine with one address. `timeout` is per step. Never raises MachineError."""
    hosts = known_addresses(machine)
    if len(hosts) == 1:
        return []
    tasks = {host: BackgroundTask(partial(look_at, machine, host, timeout)) for host in hosts}
    late = f"no answer within {timeout * STEPS:g} s"
    return [
        task.answer(timeout * STEPS) or AddressLook(host, MachineError(f"{host}: {late}"))
        for host, task in tasks.items()
    ]


def known_addresses(machine: Machine) -> list[str]:
    return list(dict.fromkeys([engine_url.parse_url(machine.url).host, *machine.addresses]))


def look_at(machine: Machine, host: str, timeout: float) -> AddressLook:
    try:
        endpoint = endpoint_of(machine)
        one = replace(endpoint, url=engine_url.with_host(endpoint.url, host), others=(), memory=None)
        dial(replace(one, cert_dir=certificate_directory(machine, timeout)), Deadline(timeout)).close()
    except MachineError as exc:
        return AddressLook(host, exc)
    return AddressLook(host)


def address_checks(machine: Machine, looks: list[AddressLook]) -> Iterator[Check]:
    """Yield a check for each address. Pure."""
    answering = [look.host for look in looks if look.failure is None]
    foreign = [look.host for look in looks if look.failure and is_anothers(look.failure)]
    for look in looks:
        command = without_address(machine, look.host, answering, foreign)
        remove = Hint("If the host no longer has this address", command) if command else moved_hint(machine)
        yield address_check(machine, look, remove, is_found=bool(answering))


def address_check(machine: Machine, look: AddressLook, remove: Hint, *, is_found: bool) -> Check:
    """`remove` is the hint that takes the address out; `is_found`: the engine answers at some address."""
    host, failure = look
    if failure is None:
        return ok(TITLE, f"{host}: the engine answers with a certificate for this address")
    if has_other_names(failure):
        seen = f"{host}: an engine answers, but its certificate does not name this address"
        return broken(TITLE, seen, certificate_hint(machine, failure))
    if is_foreign(failure) and is_found:
        return broken(TITLE, f"{host}: another engine or server answers: {foreign_reason(failure)}", remove)
    if isinstance(failure.__cause__, ssl.SSLError):
        return broken(TITLE, failure.cause, remove if failure.leads_to == DOCTOR else failure.hint)
    return unknown(TITLE, failure.cause, remove)


def is_anothers(failure: MachineError) -> bool:
    return is_foreign(failure) and not has_other_names(failure)


def has_other_names(failure: MachineError) -> bool:
    cause = failure.__cause__
    return isinstance(cause, ssl.SSLCertVerificationError) and cause.verify_code in OTHER_NAMES


def certificate_hint(machine: Machine, failure: MachineError) -> Hint:
    """Return the command that makes a certificate for all addresses."""
    if machine.access:
        return Hint(f"Ask {owner_of(machine)} to type", "machinectl provision", owners_name(machine), elsewhere=True)
    if machine.changes and ssh_or_none(machine):
        return Hint("Make one for all addresses", "machinectl provision", machine.name)
    return failure.hint


def without_address(machine: Machine, host: str, answering: Sequence[str], foreign: Sequence[str] = ()) -> str:
    """Return the command that takes an address out; one of `answering` replaces that in the URL.

    One of `foreign` never does: "" if there is no other.
    """
    first, *others = known_addresses(machine)
    place = ""
    if host == first:
        usable = sorted((each for each in others if each not in foreign), key=lambda each: each not in answering)
        if not usable:
            return ""
        host = usable[0]
        place = place_flags(machine, host)
    kept = f" {FLAG} ".join(each for each in others if each != host) or "''"
    return f"machinectl set --address {kept}{place} {machine.name}"


def place_flags(machine: Machine, host: str) -> str:
    if machine.url.startswith("tcp://"):
        return f" --url {engine_url.with_host(machine.url, host)}"
    return f" {flag_of_set(machine, 'ip-address') or '--url'} {host}"
