"""Give a holder a certificate for one machine.

Each step is on record before the next one begins, so that a killed command can be repeated: the holder's CA on disk,
the record (adding), the host, the record with the key.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.errors import Hint, MachineError
from machinectl.files.atomic import remove_tree
from machinectl.hosts import host_lock
from machinectl.hosts.certificate_files import check_engine_clock, check_has_ca, check_has_certificates
from machinectl.hosts.holder_cas import holder_ca, new_holder_ca, stored_ca
from machinectl.hosts.host_plan import HostPlan, Outcome
from machinectl.hosts.identity import Identity
from machinectl.hosts.trust_change import plan_trust, trust_ca, with_ca
from machinectl.machines import holders
from machinectl.machines.machine_driver import endpoints_of
from machinectl.machines.record import check_ready, owner_of, owners_name
from machinectl.machines.store.store_paths import now
from machinectl.provision.decision import RolledBack
from machinectl.provision.target import NOTHING_SPECIAL
from machinectl.quantities import DAY, parse_lifetime, rfc3339
from machinectl.value_classes import replace

if TYPE_CHECKING:
    from machinectl.console import Console
    from machinectl.hosts.login import Login
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store
    from machinectl.provision.target import Allowed

# Seconds. A person asks again; a tool has somebody who must think of it.
PERSONS_LIFETIME, TOOLS_LIFETIME = 7 * DAY, 30 * DAY
# Keys that expired longer ago leave the record: a CI job has a new one each day.
EXPIRED_KEYS_STAY = timedelta(days=7)


@dataclass(frozen=True)
class AccessGrant:
    """`lifetime` is in seconds; None: the machine's default.

    `request` is the ID of the request that the key came in, `state` is the state of the key on record.
    """

    who: str
    kind: str
    public_key: certs.PublicKey
    lifetime: int | None = None
    request: str = ""
    state: str = ""


def client_of_holder(
    held: Held, console: Console, login: Login, grant: AccessGrant, allowed: Allowed = NOTHING_SPECIAL
) -> bytes:
    """Make the engine accept the holder, and return the certificate (PEM) for its key, followed by the holder's CA.

    The engine restarts only for a new holder.
    """
    machine = held.machine
    holder = checked_holder(machine, grant)
    if holder.state == holders.EXPIRES:
        ca = own_ca(machine)
        check_engine_clock(machine, expected_end(machine, grant))
    else:
        ca = holder_ca(held, holder)
        holder = replace(holder, ca=certs.fingerprint(ca.certificate))
        holder = accepted_holder(held, console, login, holder, allowed, expected_end(machine, grant))
    moment = datetime.now(UTC)
    certificate = certs.sign_client(ca, grant.public_key.pem, holder.who, expected_end(machine, grant))
    until = certs.describe(certificate).not_after
    key = holders.HolderKey(grant.public_key.digest, rfc3339(until), grant.request, grant.state)
    holders.put_holder(machine, holder.with_key(key, since=rfc3339(moment - EXPIRED_KEYS_STAY)))
    held.write()
    # With only the server's CA, clients can verify the certificate by its own chain.
    return certificate if holder.state == holders.EXPIRES else certificate + ca.certificate


def plan_client(
    store: Store, machine: Machine, console: Console, login: Login, grant: AccessGrant, allowed: Allowed
) -> HostPlan:
    """Return what `client_of_holder` would change, and raise what it would."""
    holder, until = checked_holder(machine, grant), expected_end(machine, grant)
    if holder.state == holders.EXPIRES:
        check_engine_clock(machine, until)
        return HostPlan(outcomes=(Outcome("Signing with the machine's CA", changed=True),))
    ca = stored_ca(machine, holder) or new_holder_ca(machine.name, holder.who).certificate
    return plan_trust(store, machine, console, login, with_ca(machine, ca, until), allowed)


def expected_end(machine: Machine, grant: AccessGrant) -> datetime:
    """Return when a certificate that is made now expires."""
    return datetime.now(UTC) + timedelta(seconds=lifetime_of(machine, grant))


def lifetime_of(machine: Machine, grant: AccessGrant) -> int:
    """Return seconds."""
    if grant.lifetime is not None:
        return grant.lifetime
    if machine.lifetime:
        return parse_lifetime(machine.lifetime, "--access-lifetime")
    return PERSONS_LIFETIME if grant.kind == holders.PERSON else TOOLS_LIFETIME


def checked_holder(machine: Machine, grant: AccessGrant) -> holders.AccessHolder:
    """Return the holder on record, or a new one. Raises MachineError if it cannot be given access."""
    holders.check_holder_name(grant.who)
    check_can_share(machine)
    if ended := holders.ended_with_key(machine, grant.public_key.digest):
        who, when = str(ended.get("who", "")), str(ended.get("when", ""))
        raise MachineError(
            f'The access of "{who}" to "{machine.name}" was ended on {when[:10]}, and this is its old key',
            Hint(
                f"For a request with a new key, {who} types there",
                f"machinectl rm <NAME>; machinectl access request --for {who} <NAME>:{machine.name}",
                elsewhere=True,
            ),
        )
    having = [holder.who for holder in holders.holders_with_key(machine, grant.public_key.digest)]
    if having and grant.who.lower() not in [who.lower() for who in having]:
        # To end one of them would leave the key its access.
        raise MachineError(
            f'This key already belongs to "{having[0]}", a holder of "{machine.name}"',
            Hint("Renew that access", "machinectl access grant --for", having[0])
            | Hint("or ask for a request with a key of its own"),
        )
    holder = holders.find_holder(machine, grant.who)
    if holder and holder.state == holders.ENDING:
        raise MachineError(
            f'The access of "{holder.who}" to "{machine.name}" is being ended',
            Hint("Finish that first", "machinectl access end", holder.who, machine.name),
        )
    state = holders.ADDING if can_change_host(machine) else holders.EXPIRES
    if holder:
        # A machine that has got SSH since then gives its holders CAs of their own.
        return holder if holder.ca or state == holders.EXPIRES else replace(holder, state=state)
    return holders.AccessHolder(grant.who, grant.kind, state=state, by=host_lock.user_at_computer(), since=now())


def check_can_share(machine: Machine) -> None:
    check_ready(machine)
    if machine.access:
        by, asked = owner_of(machine), owners_name(machine)
        raise MachineError(
            f'"{machine.name}" was shared with this computer: only {by} can give access to it',
            Hint(f"Whoever needs it can send {by} a request", "machinectl access request", asked, elsewhere=True),
        )
    check_has_certificates(machine)
    if not (machine.tls and machine.url.startswith("tcp://")):
        raise MachineError(
            f'The engine of "{machine.name}" has no certificates ({machine.url or "it has no URL"})',
            Hint("Anyone who may log in to its host can use it", "machinectl create ssh://<USER>@<HOST>", machine.name),
        )
    check_has_ca(machine)
    if not can_change_host(machine):
        own_ca(machine)


def can_change_host(machine: Machine) -> bool:
    return endpoints_of(machine).ssh is not None


def own_ca(machine: Machine) -> certs.Pair:
    """Return the machine's CA, for hosts that cannot be changed."""
    have = Identity.read(machine.directory)
    if not have.ca_key:
        raise MachineError(
            f'"{machine.name}" cannot be shared from here: its host cannot be changed without SSH, and the key of its '
            "CA is not here",
            Hint("Ask whoever set it up; or make the host trust another CA by hand, as docs/access.md explains"),
        )
    return certs.ca_pair(have.ca, have.ca_key)


def accepted_holder(
    held: Held, console: Console, login: Login, holder: holders.AccessHolder, allowed: Allowed, until: datetime
) -> holders.AccessHolder:
    """Make the engine accept the holder's CA, for a certificate that expires at `until`."""
    machine, before = held.machine, copy(held.machine)
    if holder.state == holders.ADDING:
        holders.put_holder(machine, holder)
        held.write()
    try:
        trust_ca(held, console, login, holder_ca(held, holder).certificate, allowed, until=until)
    except MachineError as exc:
        is_new = holder.who not in before.holders
        is_untouched = (machine.revision, machine.changes) == (before.revision, before.changes)
        if is_new and (is_untouched or isinstance(exc, RolledBack)):
            # The host is as before, so that there is nothing to end.
            machine.holders = before.holders
            held.write()
            remove_tree(holders.holder_directory(held.directory, holder.who))
        raise
    return replace(holder, state=holders.ACTIVE)
