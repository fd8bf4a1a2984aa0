"""Compare the served certificate with record and disk. Pure."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.check import Check, broken, ok, unknown, value_or
from machinectl.errors import Hint, MachineError, put_certificates_in
from machinectl.hosts.expiry import expires_in, expires_soon
from machinectl.hosts.host_owner import SERVER, after_loss
from machinectl.provision import preflight

if TYPE_CHECKING:
    from machinectl.doctor.host_condition import Shell
    from machinectl.hosts.identity import Identity
    from machinectl.provision.facts.host_facts import Facts

TITLE = "Served certificate"


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
        return unknown(TITLE, f"it cannot be read: {exc.cause}")
    until = f"{description.subject or 'no name'}, until {description.not_after:%Y-%m-%d}"
    on_disk = "" if host is None or not identity.server else disk_state(identity, host)
    renew = Hint("Renew it", "machinectl renew --due", shell.machine)
    renewal = renew if identity.server else put_certificates_in(shell.machine)
    if not same:
        issuer = description.issuer or "nobody named"
        seen = f"the engine serves another certificate than the record has: {until}, by {issuer}"
        if on_disk == SAME:
            init = host.init if host else ""
            restart = Hint("Restart the engine", shell.service("restart", init))
            return broken(TITLE, f"{seen}; the host's disk has that of the record", restart)
        if lost_to:
            return broken(TITLE, f"{seen}; {lost_to} has set the host up since", after_loss(shell.machine))
        # Only the host knows its present owner: `provision` asks before it takes over.
        again = "machinectl provision --force" if on_disk else "machinectl provision"
        whose = f"; the host's disk has {on_disk}" if on_disk else ""
        return broken(TITLE, f"{seen}{whose}", Hint("Send the certificate of the record", again, shell.machine))
    if description.not_after < now:
        return broken(TITLE, f"it has expired: {until}", renewal)
    if on_disk and on_disk != SAME:
        back = Hint("Put it back", "machinectl provision", shell.machine)
        return broken(
            TITLE, f"the engine serves the certificate of the record ({until}), but the host's disk has {on_disk}", back
        )
    if expires_soon(description.not_before, description.not_after, now):
        return unknown(TITLE, f"{until}: {expires_in(description.not_after, now)}", renewal)
    if not identity.server:
        return ok(TITLE, f"{until}; others made it, so there is no record to compare it with")
    return ok(TITLE, f"the engine serves the certificate of the record: {until}")


SAME, OTHER, NONE = "the same", "another one", "none"


def disk_state(identity: Identity, host: Facts) -> str:
    named = value_or("", lambda: preflight.tls_settings(host).get("tlscert", ""))
    there = host.sums.get(named or SERVER)
    if there is None:
        return NONE
    # 0.1 used a separate key file.
    ours = (identity.on_host.get("server.pem", b""), identity.server)
    return SAME if there.sha256 in {hashlib.sha256(file).hexdigest() for file in ours} else OTHER
