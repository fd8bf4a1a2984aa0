"""Renew a machine's certificates, keep valid ones, and hold their validity against the engine's clock."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.engine.endpoint import Deadline, EngineError
from machinectl.engine.http import dial, get
from machinectl.engine.tls import ClocksDiffer
from machinectl.errors import Hint, MachineError
from machinectl.hosts.identity import Identity
from machinectl.machines.machine_driver import endpoint_of
from machinectl.provision.host_changes import CaTrusted, of_kind
from machinectl.provision.preflight import check_valid_there
from machinectl.value_classes import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from machinectl.machines.record import Machine

# Seconds. An engine that is off holds nobody up for long.
CLOCK_TIMEOUT = 5.0


def renewed_identity(
    machine: Machine, have: Identity, sans: Sequence[str], authority: certs.Pair | None = None
) -> Identity:
    """Replace invalid certificates. `sans` are the server's names; `authority` replaces the CA."""
    if have.ca and have.client and not have.ca_key and authority is None:
        if any(of_kind(machine.changes, CaTrusted)):
            raise MachineError(
                f'The key of the CA of "{machine.name}" is not here: {os.path.join(machine.directory, "ca-key.pem")}',
                Hint("Put a copy of it there") | new_ca_hint(machine.name, "or make"),
            )
        raise MachineError(
            f'The CA key of the certificates of "{machine.name}" is not here: someone else set up its host',
            Hint("Keep it unchanged") | Hint("or register the host under another name to set it up"),
        )
    ca = kept_ca(have, authority) or certs.new_ca(f"machinectl {machine.name}")
    server = certs.Pair(have.server, have.server_key)
    if not is_valid_server(ca, server, sans):
        server = certs.issue_server(ca, list(dict.fromkeys(sans)))
    return signed(ca, server, valid_client(machine, ca, have))


def new_ca_hint(name: str, make: str = "Make") -> Hint:
    return Hint(f"{make} a new CA, which locks out its other clients", "machinectl regenerate-certs --new-ca", name)


def signed(ca: certs.Pair, server: certs.Pair, client: certs.Pair) -> Identity:
    return Identity(
        ca=ca.certificate,
        ca_key=ca.key,
        server=server.certificate,
        server_key=server.key,
        client=client.certificate,
        client_key=client.key,
    )


def with_ca_of_host(have: Identity, there: Iterable[bytes]) -> Identity:
    """Replace a lost or damaged ca.pem by the host's, of which only the certificate of the CA's key here is trusted."""
    if kept_ca(have, None):
        return have
    for ca in there:
        if found := kept_ca(replace(have, ca=ca), None):
            return replace(have, ca=found.certificate)
    return have


def kept_ca(have: Identity, authority: certs.Pair | None) -> certs.Pair | None:
    if authority is not None:
        return certs.ca_pair(authority.certificate, authority.key)
    try:
        return certs.ca_pair(have.ca, have.ca_key)
    except MachineError:
        return None


def is_valid_server(ca: certs.Pair, server: certs.Pair, sans: Sequence[str]) -> bool:
    try:
        certs.server_bundle(ca.certificate, server.certificate, server.key)
        names = certs.describe(server.certificate).sans
    except MachineError:
        return False
    return {san.lower() for san in sans} <= {name.lower() for name in names}


def valid_client(machine: Machine, ca: certs.Pair, have: Identity) -> certs.Pair:
    """Return a new one if the CA would refuse it."""
    try:
        certs.client_bundle(ca.certificate, have.client, have.client_key)
    except MachineError:
        return certs.issue_client(ca, machine.name[: certs.COMMON_NAME_BYTES])
    return certs.Pair(have.client, have.client_key)


def check_engine_clock(machine: Machine, until: datetime) -> None:
    """Raise MachineError if the engine would refuse a certificate that is made now and expires at `until`.

    It passes an engine that does not answer.
    """
    now = engine_time(machine)
    if now:
        check_valid_there(now, datetime.now(UTC) - certs.BACKDATED, until)


def engine_time(machine: Machine) -> datetime | None:
    """Return the time in the engine's answer (Date, RFC 9110 6.6.1, whole seconds); None without one.

    Only an engine that reads certificates is asked. Raises ClocksDiffer.
    """
    if not machine.url.startswith("tcp://"):
        return None
    try:
        with dial(endpoint_of(machine), Deadline(CLOCK_TIMEOUT)) as wire:
            date = get(wire, "/_ping").header("Date")
        return parsedate_to_datetime(date).astimezone(UTC)
    except ClocksDiffer:
        raise
    except (EngineError, OSError, ValueError, OverflowError):
        return None
