"""Compare the CAs in a host's clients.pem with the holders on record. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.check import BROKEN, OK, UNKNOWN, Check, first_case
from machinectl.errors import NO_HINT, Hint
from machinectl.hosts.holder_cas import UNFINISHED, finishing
from machinectl.machines.holders import ACTIVE, ADDING, ENDING
from machinectl.provision import client_cas
from machinectl.provision.client_cas import CLIENTS
from machinectl.quantities import first_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.doctor.host_condition import Shell
    from machinectl.machines.holders import AccessHolder
    from machinectl.provision.facts.host_facts import Facts

TITLE = "Access"


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
    known = {*client_cas.ca_digests(ca), *(holder.ca for holder in holders)}
    others = client_cas.unrecorded_cas(host, known)
    beside = f"; and CAs that are not on record here: {first_names(others, client_cas.MOST_NAMED)}" if others else ""
    names = ", ".join(["this computer", *(holder.who for holder in expected)])
    machine, damage = shell.machine, client_cas.damage(host)
    unread = f"{CLIENTS} was changed after the engine was started: it may still accept those who are no longer in it"
    return first_case(
        TITLE,
        (
            staying,
            BROKEN,
            f"the access of {', '.join(staying)} was to end, and the engine still accepts it",
            Hint("End it", "machinectl access end", next(iter(staying), ""), machine),
        ),
        (
            shut_out,
            BROKEN,
            f"the engine reads another list of CAs than {CLIENTS}, and does not accept {', '.join(shut_out)}",
            Hint("Have it read that file, with what is in the other", "machinectl provision", machine),
        ),
        (
            lost and not listed,
            BROKEN,
            f"{CLIENTS} is {list_state(host)}, which lists the CAs of {', '.join(lost)}",
            Hint("Write it again", "machinectl provision", machine),
        ),
        (
            host.clients_edited,
            UNKNOWN,
            unread,
            Hint("Restart the engine, with its containers running on", "machinectl provision", machine),
        ),
        (
            damage,
            BROKEN,
            damage,
            Hint("Correct that file on the host, then", "machinectl provision", machine),
        ),
        (
            lost,
            UNKNOWN,
            f"{', '.join(lost)}: on record here, and no longer accepted by the engine",
            Hint("Take it off the record", "machinectl access end", next(iter(lost), ""), machine),
        ),
        (
            unfinished,
            UNKNOWN,
            f"the access of {', '.join(holder.who for holder in unfinished)} {UNFINISHED}",
            finishing(unfinished[0], machine) if unfinished else NO_HINT,
        ),
        (True, OK, f"the engine accepts {names}{beside}", NO_HINT),
    )


def list_state(host: Facts) -> str:
    """Describe a list of CAs in which no certificate was found."""
    there = host.files.get(CLIENTS)
    if there is None:
        return "missing"
    return "without certificates" if there.content.strip() else "empty"
