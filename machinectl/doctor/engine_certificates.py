"""Compare the certificate that an engine serves, and the CAs that it accepts, with record and disk. Pure."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.check import BROKEN, OK, UNKNOWN, Check, broken, first_case, ok, unknown, value_or
from machinectl.errors import NO_HINT, Hint, MachineError, put_certificates_in
from machinectl.hosts.expiry import expires_in, expires_soon
from machinectl.hosts.holder_cas import UNFINISHED, finishing
from machinectl.hosts.host_owner import SERVER, after_loss
from machinectl.machines.holders import ACTIVE, ADDING, ENDING
from machinectl.provision import client_cas, preflight
from machinectl.provision.client_cas import CLIENTS
from machinectl.quantities import first_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.doctor.host_condition import Shell
    from machinectl.hosts.identity import Identity
    from machinectl.machines.holders import AccessHolder
    from machinectl.provision.facts.host_facts import Facts

SERVED, ACCESS = "Served certificate", "Access"
# States of the host's disk if it does not have the certificate on record.
OTHER, NONE = "another certificate", "no certificate"


def served_check(
    shown: bytes,
    identity: Identity,
    host: Facts | None,
    shell: Shell,
    now: datetime | None = None,
    *,
    lost_to: str = "",
) -> Check:
    """Check `shown`, the served certificate (PEM); `host` is None if its disk was not read.

    `lost_to` has set the host up since.
    """
    now = now or datetime.now(UTC)
    try:
        description = certs.describe(shown)
        same = not identity.server or certs.fingerprint(shown) == certs.fingerprint(identity.server, file="server.pem")
    except MachineError as exc:
        return unknown(SERVED, f"it cannot be read: {exc.cause}")
    until = f"{description.subject or 'no name'}, until {description.not_after:%Y-%m-%d}"
    on_disk = "" if host is None or not identity.server else disk_state(identity, host)
    if not same:
        seen = f"the engine serves another certificate than the one on record: {until}, by {description.issuer or '?'}"
        if host and identity.server and not on_disk:
            restart = Hint("Restart the engine", shell.service("restart", host.init))
            return broken(SERVED, f"{seen}; the host's disk has the one on record", restart)
        if lost_to:
            return broken(SERVED, f"{seen}; {lost_to} has set the host up since", after_loss(shell.machine))
        # Only the host knows its present owner: `provision` asks before it takes over.
        again = "machinectl provision --force" if on_disk else "machinectl provision"
        return broken(SERVED, seen, Hint("Send the certificate on record", again, shell.machine))
    renewal = put_certificates_in(shell.machine)
    if identity.server:
        renewal = Hint("Renew it", "machinectl renew --due", shell.machine)
    if description.not_after < now:
        return broken(SERVED, f"it has expired: {until}", renewal)
    if on_disk:
        restore = Hint("Restore it", "machinectl provision", shell.machine)
        return broken(SERVED, f"as recorded ({until}), but the host's disk has {on_disk}", restore)
    if expires_soon(description.not_before, description.not_after, now):
        return unknown(SERVED, f"{until}: {expires_in(description.not_after, now)}", renewal)
    whose = "as recorded" if identity.server else "not made by machinectl"
    return ok(SERVED, f"{whose}: {until}")


def disk_state(identity: Identity, host: Facts) -> str:
    """Return what the host's disk has instead of the certificate on record, "" if it has that."""
    named = value_or("", lambda: preflight.tls_settings(host).get("tlscert", ""))
    on_disk = host.sums.get(named or SERVER)
    if on_disk is None:
        return NONE
    # 0.1 used a separate key file.
    ours = (identity.on_host.get("server.pem", b""), identity.server)
    return "" if on_disk.sha256 in {hashlib.sha256(file).hexdigest() for file in ours} else OTHER


def accepted_clients_check(host: Facts, ca: bytes, holders: Sequence[AccessHolder], shell: Shell) -> Check | None:
    """Return None for a host that accepts only the machine's own CA (PEM), as it should."""
    listed = client_cas.listed_cas(host)
    expected = [holder for holder in holders if holder.state == ACTIVE and holder.ca]
    unfinished = [holder for holder in holders if holder.state == ADDING]
    if not (listed or expected or unfinished):
        return None
    staying = [holder.who for holder in holders if holder.state == ENDING and holder.ca in listed]
    by_owner = client_cas.cas_by_digest(host.trusted)
    shut_out = [holder.who for holder in expected if by_owner and holder.ca not in by_owner]
    lost = [holder.who for holder in expected if holder.ca not in listed]
    others = client_cas.unrecorded_cas(host, {*client_cas.ca_digests(ca), *(holder.ca for holder in holders)})
    beside = f", and CAs that are not on record: {first_names(others, client_cas.MOST_NAMED)}" if others else ""
    names = ", ".join(["this computer", *(holder.who for holder in expected)])
    machine, damage = shell.machine, client_cas.damage(host)
    provision = "machinectl provision"
    return first_case(
        ACCESS,
        (
            staying,
            BROKEN,
            f"the access of {', '.join(staying)} was ended here, but the engine still accepts it",
            Hint("End it", "machinectl access end", next(iter(staying), ""), machine),
        ),
        (
            shut_out,
            BROKEN,
            f"the engine reads another list of CAs than {CLIENTS}, and does not accept {', '.join(shut_out)}",
            Hint("Merge that list into the file", provision, machine),
        ),
        (
            lost and not listed,
            BROKEN,
            f"{CLIENTS} has no certificates, but should have the CAs of {', '.join(lost)}",
            Hint("Write it again", provision, machine),
        ),
        (
            host.clients_edited,
            UNKNOWN,
            f"{CLIENTS} was changed after the engine started: holders who were removed may still have access",
            Hint("Restart the engine; containers keep running", provision, machine),
        ),
        (damage, BROKEN, damage, Hint("Correct that file on the host, then", provision, machine)),
        (
            lost,
            UNKNOWN,
            f"the engine no longer accepts {', '.join(lost)}, who are on record",
            Hint("Remove the record", "machinectl access end", next(iter(lost), ""), machine),
        ),
        (
            unfinished,
            UNKNOWN,
            f"the access of {', '.join(holder.who for holder in unfinished)} {UNFINISHED}",
            finishing(unfinished[0], machine) if unfinished else NO_HINT,
        ),
        (True, OK, f"the engine accepts {names}{beside}", NO_HINT),
    )
