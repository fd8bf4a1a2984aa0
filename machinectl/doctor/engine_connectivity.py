"""Connect to an engine step by step: name, TCP, TLS, API; and at each of a machine's addresses."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from machinectl import engine
from machinectl import url as engine_url
from machinectl.check import BROKEN, Check, broken, failed, ok, unknown, unseen, value_or
from machinectl.engine.address_order import foreign_reason, is_foreign
from machinectl.engine.endpoint import Deadline, EngineError
from machinectl.engine.http import dial, get
from machinectl.engine.probe import LONGEST_ANSWER, LONGEST_VERSION, parse_object
from machinectl.engine.tls import OTHER_NAMES, connect_tls, shown_certificate
from machinectl.engine.wire import connect_tcp, connect_unix, resolve_endpoint
from machinectl.errors import DOCTOR, Hint, MachineError, one_line
from machinectl.hosts.identity import pending_sets, probe_any_set
from machinectl.hosts.login import moved_hint
from machinectl.hosts.parallel import BackgroundTask
from machinectl.machines.addresses import FLAG
from machinectl.machines.machine_driver import endpoint_of, ssh_or_none
from machinectl.machines.record import owner_of, owners_name
from machinectl.state import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.engine import Endpoint
    from machinectl.machines.record import Machine
    from machinectl.url import EngineURL

ODD_ANSWERS = (MachineError, OSError, ValueError, TypeError)
NAME, TCP, TLS, API, SOCKET, SSH_URL = "Name", "TCP", "TLS", "Engine", "Socket", "Engine over SSH"
ADDRESS = "Address"
# A factor for the timeout: the name, TCP and TLS.
STEPS = 3


@dataclass(frozen=True)
class EngineReach:
    """How far a connection got.

    `shown` is the server's certificate as PEM, or b""; `off` is how far the host's clock is ahead, or None. `least` and
    `most` are API versions. `directory` has the certificates used, maybe pending ones.
    """

    checks: tuple[Check, ...]
    shown: bytes = b""
    off: timedelta | None = None
    least: str = ""
    most: str = ""
    directory: str = ""


def reach_engine(machine: Machine, timeout: float) -> EngineReach:
    """Connect with `timeout` seconds per step. Never raises MachineError."""
    try:
        endpoint = endpoint_of(machine)
        if endpoint.others:
            # Look at the address that answers; if none does, at the last one known to answer.
            engine.probe(endpoint, timeout)
            endpoint = replace(endpoint, url=machine.urls[0], others=(), memory=None)
        url = engine_url.parse_url(endpoint.url)
    except MachineError as exc:
        return EngineReach((failed("Engine", exc),))
    if url.scheme == "tcp":
        directory = certificate_directory(machine, timeout)
        way = over_tcp(machine, replace(endpoint, cert_dir=directory), url, timeout)
        return replace(way, directory=directory)
    if url.scheme == "unix":
        try:
            connect_unix(endpoint, url.path, Deadline(timeout)).close()
        except EngineError as exc:
            return EngineReach((failed(SOCKET, exc), *unseen([API], "the socket does not answer")))
        return with_answer(endpoint, EngineReach((ok(SOCKET, f"{url.path} accepts connections"),)), timeout)
    return with_answer(endpoint, EngineReach(()), timeout, SSH_URL)


def certificate_directory(machine: Machine, timeout: float) -> str:
    """Return where the certificates are that the engine takes: pending ones, if a run was interrupted."""
    pending = pending_sets(machine.directory)
    return probe_any_set(machine, Deadline(timeout))[1] if pending else machine.directory


def over_tcp(machine: Machine, endpoint: Endpoint, url: EngineURL, timeout: float) -> EngineReach:
    later = [TCP, *([TLS] if machine.tls else []), API]
    try:
        addresses = list(
            dict.fromkeys(str(address[0]) for _, address in resolve_endpoint(endpoint, url, Deadline(timeout)))
        )
    except EngineError as exc:
        return EngineReach((failed(NAME, exc), *unseen(later, "the name does not resolve")))
    is_address = engine_url.is_address(url.host)
    resolved = f"{url.host} is an address" if is_address else f"{url.host} resolves to {', '.join(addresses)}"
    way = EngineReach((ok(NAME, resolved),))
    try:
        connect_tcp(endpoint, url, Deadline(timeout)).close()
    except EngineError as exc:
        return with_checks(way, failed(TCP, exc), *unseen(later[1:], "TCP failed"))
    way = with_checks(way, ok(TCP, f"{endpoint.peer} accepts connections"))
    if not machine.tls:
        plain = "not used: anyone who reaches this port is root on the host"
        return with_answer(
            endpoint,
            with_checks(
                way, unknown(TLS, plain, Hint("When its engine speaks TLS", "machinectl set --tls", machine.name))
            ),
            timeout,
        )
    try:
        with connect_tls(endpoint, url, Deadline(timeout)) as wire:
            shown = as_pem(wire.sock.getpeercert(binary_form=True))
    except EngineError as exc:
        shown = value_or(b"", lambda: as_pem(shown_certificate(endpoint, url, Deadline(timeout))), ODD_ANSWERS)
        way = replace(way, shown=shown)
        return with_checks(way, failed(TLS, exc), *unseen([API], "TLS failed"))
    trusted = ok(TLS, "the server's certificate is signed by the machine's CA and valid for its address")
    return with_answer(endpoint, with_checks(replace(way, shown=shown), trusted), timeout)


def with_answer(endpoint: Endpoint, way: EngineReach, timeout: float, title: str = API) -> EngineReach:
    found = engine.probe(endpoint, timeout)
    if found.state is not State.RUNNING:
        return with_checks(way, Check(title, BROKEN, found.error, found.hint, leads_to=found.leads_to))
    way = with_checks(way, ok(title, f"Docker {found.version} answers in {found.seconds * 1000:.0f} ms"))
    return value_or(replace(way, most=found.api_version), lambda: with_details(way, endpoint, timeout), ODD_ANSWERS)


def with_details(way: EngineReach, endpoint: Endpoint, timeout: float) -> EngineReach:
    """Add API versions and the clock (Date, RFC 9110 6.6.1, whole seconds)."""
    with dial(endpoint, Deadline(timeout)) as wire:
        asked = datetime.now(UTC)
        answer = get(wire, "/version")
        known = parse_object(answer.read(LONGEST_ANSWER))
    date = answer.header("Date")
    least, most = (one_line(str(known.get(key, "")), LONGEST_VERSION) for key in ("MinAPIVersion", "ApiVersion"))
    return replace(way, off=parsedate_to_datetime(date) - asked if date else None, least=least, most=most)


def as_pem(der: bytes | None) -> bytes:
    return ssl.DER_cert_to_PEM_cert(der).encode() if der else b""


def with_checks(way: EngineReach, *checks: Check) -> EngineReach:
    return replace(way, checks=(*way.checks, *checks))


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
    is_found = any(look.failure is None for look in looks)
    for look in looks:
        yield address_check(machine, look, without_address(machine, look.host), is_found=is_found)


def address_check(machine: Machine, look: AddressLook, remove: Hint, *, is_found: bool) -> Check:
    """`remove` is the hint that takes the address out; `is_found`: the engine answers at some address."""
    host, failure = look
    if failure is None:
        return ok(ADDRESS, f"{host}: the engine answers with a certificate for this address")
    if has_other_names(failure):
        seen = f"{host}: an engine answers, but its certificate does not name this address"
        return broken(ADDRESS, seen, certificate_hint(machine, failure))
    if is_foreign(failure) and is_found:
        return broken(ADDRESS, f"{host}: another engine or server answers: {foreign_reason(failure)}", remove)
    if isinstance(failure.__cause__, ssl.SSLError):
        return broken(ADDRESS, failure.cause, remove if failure.leads_to == DOCTOR else failure.hint)
    return unknown(ADDRESS, failure.cause, remove)


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


def without_address(machine: Machine, host: str) -> Hint:
    """Return the command that takes an address out, or sets another in place of the first."""
    first, *others = known_addresses(machine)
    if host == first:
        return moved_hint(machine)
    kept = f" {FLAG} ".join(address for address in others if address != host) or "''"
    return Hint("If the host no longer has this address", f"machinectl set {FLAG} {kept} {machine.name}")
