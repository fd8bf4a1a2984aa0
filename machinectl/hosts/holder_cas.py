"""CAs of a machine's holders, on this computer: MACHINE/holders/WHO/ca.pem and ca-key.pem."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.errors import Hint, MachineError
from machinectl.files.atomic import Translated, make_directories, remove_tree
from machinectl.files.fileset import read_regular_file
from machinectl.hosts.identity import Identity
from machinectl.machines import holders
from machinectl.machines.store.store_paths import now
from machinectl.provision import client_cas
from machinectl.provision.facts.host_facts import OWN_CA

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from machinectl.machines.holders import AccessHolder
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held
    from machinectl.provision.facts.host_facts import Facts


def trusted_cas(machine: Machine) -> tuple[bytes, ...]:
    """Return the CAs (PEM) of the holders that the engine should accept, for a host that has lost its list."""
    own = (holder for holder in holders.holders_of(machine) if holder.state in {holders.ACTIVE, holders.ADDING})
    return tuple(ca for holder in own if (ca := stored_ca(machine, holder)))


def stored_ca(machine: Machine, holder: AccessHolder) -> bytes:
    """Return a holder's CA (PEM), b"" if it has none of its own."""
    path = os.path.join(holders.holder_directory(machine.directory, holder.who), holders.CA_FILE)
    return read_regular_file(path) if os.path.lexists(path) else b""


def ending_cas(machine: Machine) -> frozenset[str]:
    """Return the SHA256 (of the DER, in hexadecimal) of the CAs that the engine should refuse from now on."""
    return frozenset(
        holder.ca for holder in holders.holders_of(machine) if holder.state == holders.ENDING and holder.ca
    )


def holder_ca(held: Held, holder: AccessHolder) -> certs.Pair:
    """Return the holder's CA; make it if the holder is new."""
    directory = holders.holder_directory(held.directory, holder.who)
    paths = [os.path.join(directory, file) for file in (holders.CA_FILE, holders.CA_KEY_FILE)]
    if holder.ca or all(map(os.path.lexists, paths)):
        try:
            return certs.ca_pair(*map(read_regular_file, paths), ca_file=paths[0], key_file=paths[1])
        except MachineError as exc:
            again = Hint("End the access, then give it again", "machinectl access end", holder.who, held.name)
            raise MachineError(f'The CA of "{holder.who}" cannot sign: {exc.cause}', again) from exc
    pair = new_holder_ca(held.name, holder.who)
    with Translated(directory):
        make_directories(directory)
    # The certificate last: without it, there is no CA.
    for file, data in ((holders.CA_KEY_FILE, pair.key), (holders.CA_FILE, pair.certificate)):
        held.write_file(os.path.join(holders.DIRECTORY, holder.who, file), data)
    return pair


def new_holder_ca(name: str, who: str) -> certs.Pair:
    room = certs.COMMON_NAME_BYTES - len(who) - 1
    return certs.new_ca(f"{f'machinectl {name}'[: max(room, 0)]} {who}".strip())


def forget_holder(held: Held, holder: AccessHolder) -> None:
    """Remove the CA of a holder that no engine trusts now, and record the end."""
    remove_tree(holders.holder_directory(held.directory, holder.who))
    holders.end_holder(held.machine, holder, now())
    held.write()


def finish_endings(held: Held) -> list[str]:
    """Forget the holders that were being ended, after the host has its new list. Return their names."""
    ended = [holder for holder in holders.holders_of(held.machine) if holder.state == holders.ENDING]
    for holder in ended:
        forget_holder(held, holder)
    return [holder.who for holder in ended]


def unrecorded_cas(machine: Machine, host: Facts, known: AbstractSet[str] = frozenset()) -> list[str]:
    """Return the subjects of CAs in clients.pem that somebody else has added: a holder is root, and can add one."""
    own = Identity.read(machine.directory).ca + client_cas.file_text(host, OWN_CA)
    recorded = {*client_cas.ca_digests(own), *(holder.ca for holder in holders.holders_of(machine))}
    return client_cas.unrecorded_cas(host, recorded | known)
