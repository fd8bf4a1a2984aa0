"""Examine each of a machine's addresses: whether its engine and its host answer there, or others."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from machinectl import url as engine_url
from machinectl.doctor.check import Check, broken, ok, unknown
from machinectl.doctor.engine_connectivity import certificate_directory
from machinectl.engine.dialling.address_race import foreign_reason, is_foreign
from machinectl.engine.dialling.tls import OTHER_NAMES, foreign_ca_hint
from machinectl.engine.endpoint import Deadline
from machinectl.engine.http import dial, get
from machinectl.engine.probe import LONGEST_TOLD, parse_object
from machinectl.engine.swarm_api import INFO
from machinectl.errors import DOCTOR, Hint, MachineError, one_line
from machinectl.hosts.connection.login import moved_hint, pinned_known_hosts
from machinectl.hosts.connection.machine_driver import endpoint_of, flag_of_set, ssh_or_none
from machinectl.hosts.parallel.background_task import BackgroundTask
from machinectl.machines.addresses import FLAG
from machinectl.machines.record import owner_of, owners_name
from machinectl.value_classes import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.console import Console
    from machinectl.engine import Endpoint
    from machinectl.hosts.connection.login import Login
    from machinectl.machines.record import Machine

TITLE = "Address"
# A factor for the timeout: the engine, then the greeting and the key of the SSH server.
STEPS = 4
LONGEST_ID = 64


@dataclass(frozen=True)
class AddressLook:
    """What answers: `engine` is the ID ("" if it gives none) of one with the machine's certificate, or `failure`.

    `has_own_key` is about the SSH server; None: no key is known, none was seen, or the engine answers.
    """

    host: str
    engine: str = ""
    failure: MachineError | None = None
    has_own_key: bool | None = None


def look_at_addresses(machine: Machine, console: Console, login: Login, timeout: float) -> list[AddressLook]:
    """Return nothing for a machine with one address. `timeout` is per step. Never raises MachineError."""
    hosts = known_addresses(machine)
    if len(hosts) == 1:
        return []
    tasks = {host: BackgroundTask(partial(look_at, machine, host, console, login, timeout)) for host in hosts}
    late = f"no answer within {timeout * STEPS:g} s"
    return [
        task.found(timeout * STEPS) or AddressLook(host, failure=MachineError(f"{host}: {late}"))
        for host, task in tasks.items()
    ]


def known_addresses(machine: Machine) -> list[str]:
    return list(dict.fromkeys([engine_url.parse_url(machine.url).host, *machine.addresses]))


def look_at(machine: Machine, host: str, console: Console, login: Login, timeout: float) -> AddressLook:
    try:
        endpoint = endpoint_of(machine)
        one = replace(endpoint, url=engine_url.with_host(endpoint.url, host), others=(), memory=None)
        return AddressLook(host, engine_id(replace(one, cert_dir=certificate_directory(machine, timeout)), timeout))
    except MachineError as exc:
        return AddressLook(host, failure=exc, has_own_key=shows_own_key(machine, host, console, login, timeout))


def engine_id(endpoint: Endpoint, timeout: float) -> str:
    with dial(endpoint, Deadline(timeout)) as wire:
        told = parse_object(get(wire, INFO.path).read(LONGEST_TOLD))
    return one_line(str(told.get("ID", "")), LONGEST_ID)


def shows_own_key(machine: Machine, host: str, console: Console, login: Login, timeout: float) -> bool | None:
    # paramiko takes 150 ms to load.
    from machinectl.hosts.connection.answering_host import has_own_key
    from machinectl.ssh.keys.host_keys import HostKeyPolicy

    ssh = ssh_or_none(machine)
    if ssh is None or ssh.jump:
        return None
    try:
        policy = HostKeyPolicy(pinned_known_hosts(machine), machine=machine.name)
        return has_own_key(replace(ssh, host=host), policy, login.credentials, console, timeout)
    except MachineError:
        return None


def address_checks(machine: Machine, looks: list[AddressLook], engine: str) -> Iterator[Check]:
    """Yield a check for each address. `engine` is the ID that the host itself gives its engine, or "". Pure."""
    engine = engine or next((look.engine for look in looks if look.engine), "")
    answering = [look.host for look in looks if is_the_engine(look, engine)]
    foreign = [look.host for look in looks if is_another_host(look, engine)]
    for look in looks:
        command = without_address(machine, look.host, answering, foreign)
        remove = Hint("If the host no longer has this address", command) if command else moved_hint(machine)
        yield address_check(machine, look, engine, remove, is_found=bool(answering))


def address_check(machine: Machine, look: AddressLook, engine: str, remove: Hint, *, is_found: bool) -> Check:
    """`remove` is the hint that takes the address out; `is_found`: the engine answers at some address."""
    host, failure = look.host, look.failure
    over_ssh = f"{host}: the machine's host answers over SSH"
    if is_the_engine(look, engine):
        return ok(TITLE, f"{host}: the engine answers, with a certificate for it")
    if failure is None:
        seen = f"{host}: another engine answers, with the same CA: its ID is {look.engine}, not {engine}"
        return broken(TITLE, seen, remove)
    if has_other_names(failure):
        seen = f"{host}: an engine answers, but its certificate does not name this address"
        return broken(TITLE, seen, certificate_hint(machine, failure))
    if look.has_own_key is False:
        seen = f"{host}: another host answers: its SSH key is not that of {machine.name}"
        return broken(TITLE, seen, remove)
    if is_foreign(failure) and look.has_own_key:
        hint = foreign_ca_hint(endpoint_of(machine)) if failure.leads_to == DOCTOR else failure.hint
        return broken(TITLE, f"{over_ssh}, but another engine or server: {foreign_reason(failure)}", hint)
    if is_foreign(failure) and is_found:
        seen = f"{host}: another engine or server answers: {foreign_reason(failure)}"
        return broken(TITLE, seen, remove)
    if isinstance(failure.__cause__, ssl.SSLError):
        return broken(TITLE, failure.cause, remove if failure.leads_to == DOCTOR else failure.hint)
    if look.has_own_key:
        return unknown(TITLE, f"{over_ssh}, its engine does not: {failure.cause}", failure.hint)
    return unknown(TITLE, failure.cause, remove)


def is_the_engine(look: AddressLook, engine: str) -> bool:
    return look.failure is None and (look.engine == engine or not (look.engine and engine))


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


def is_another_host(look: AddressLook, engine: str) -> bool:
    if look.failure is None:
        return not is_the_engine(look, engine)
    if has_other_names(look.failure) or look.has_own_key:
        return False
    return look.has_own_key is False or is_foreign(look.failure)


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
