"""What to say about the CAs in a host's clients.pem, and about holders that never got a certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.errors import Hint
from machinectl.hosts.certificates.identity import Identity
from machinectl.machines.holders import ADDING, MAYBE_WRITTEN, TOOL, UNWRITTEN, holders_of
from machinectl.machines.store.store_paths import now
from machinectl.provision import client_cas
from machinectl.provision.client_cas import CLIENTS
from machinectl.provision.facts.host_facts import OWN_CA
from machinectl.quantities import first_names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from machinectl.machines.holders import AccessHolder
    from machinectl.machines.record import Machine
    from machinectl.provision.facts.host_facts import Facts

# By the state of the holder's newest key.
FILE_PROBLEMS = {
    UNWRITTEN: "were not written: access issue failed before it wrote them",
    MAYBE_WRITTEN: "may not be written: access issue failed or was killed while it wrote them",
}
UNFINISHED = "is not added yet: no certificate was given"


def unrecorded_cas(machine: Machine, host: Facts, known: AbstractSet[str] = frozenset()) -> list[str]:
    """Return the subjects of CAs in clients.pem that somebody else has added: a holder is root, and can add one."""
    own = Identity.read(machine.directory).ca + client_cas.file_text(host, OWN_CA)
    recorded = {*client_cas.ca_digests(own), *(holder.ca for holder in holders_of(machine))}
    return client_cas.unrecorded_cas(host, recorded | known)


def client_warnings(machine: Machine, host: Facts, unrecorded: list[str]) -> Iterator[tuple[str, Hint]]:
    again = f"machinectl provision {machine.name}"
    if unrecorded:
        cas, it = ("a CA that is", "it") if len(unrecorded) == 1 else (f"{len(unrecorded)} CAs that are", "them")
        named = first_names(unrecorded, client_cas.MOST_NAMED)
        given = next(filter(None, map(client_cas.holder_named_by, unrecorded)), "")
        end, unless = f"delete {it} from {CLIENTS} there, and then", f"If no owner of the host added {it}, "
        hint = Hint(f"{unless}{end}", again)
        if given:
            hint = Hint(f"{unless}end it", "machinectl access end", given, machine.name) | Hint(f"or {end}", again)
        yield f'The engine of "{machine.name}" also accepts {cas} not on record here: {named}', hint
    if damage := client_cas.damage(host):
        yield f'On the host of "{machine.name}", {damage}', Hint("Correct that file, and then", again)


def unfinished_access(machine: Machine) -> Iterator[tuple[str, Hint]]:
    for holder in holders_of(machine):
        if holder.state == ADDING:
            yield f'The access of {holder.who} to "{machine.name}" {UNFINISHED}', finishing(holder, machine.name)
        elif holder.keys and (problem := FILE_PROBLEMS.get(holder.keys[-1].state)):
            yield f'The files of {holder.who} for "{machine.name}" {problem}', finishing_files(holder, machine.name)


def finishing(holder: AccessHolder, name: str) -> Hint:
    verb = "access issue" if holder.kind == TOOL else "access grant"
    return Hint(f"Repeat {verb}, or give it up", "machinectl access end", holder.who, name)


def finishing_files(holder: AccessHolder, name: str) -> Hint:
    """Name the command that ends the access only if no files need it, or say that it ends what they give."""
    valid = [key.state for key in holder.keys if key.until > now()]
    if "" in valid:
        return Hint("Files with the earlier key still work. For new ones, repeat access issue")
    if MAYBE_WRITTEN in valid:
        how = "If they are there, they work. Repeat access issue, or end the access"
        return Hint(how, "machinectl access end", holder.who, name)
    return finishing(holder, name)
