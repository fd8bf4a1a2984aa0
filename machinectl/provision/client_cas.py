"""clients.pem on a host: the CAs whose clients its engine accepts, once the machine has other holders than its owner.

The machine's own CA comes first, then one CA for each holder. The host's file counts, not a record: another computer
may have ended a holder that is still on record here. So only a grant adds to a file that is there, and certificates
that the record does not know stay as they are. With SSH only, the file stays on the host for the next listener.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.errors import MachineError
from machinectl.provision import daemon_json
from machinectl.provision.facts.host_facts import OWN_CA, OWN_DIRECTORY
from machinectl.quantities import plural

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.target import Target

CLIENTS, CLIENTS_MODE = f"{OWN_DIRECTORY}/clients.pem", "644"
# The file is the host's: its root may have put any number of certificates into it.
MOST_NAMED = 10
UNREADABLE = "one that cannot be read"
# See new_holder_ca. The host's root can write any subject, and the holder becomes part of a command to type.
OF_HOLDER = re.compile(r"CN=machinectl \S+ ([A-Za-z0-9](?:[A-Za-z0-9._@-]|\\\+)*)")
NO_NAMES: Mapping[str, str] = {}
# Go reads the same blocks, and skips what is around them.
BEGIN = re.compile(rb"-----BEGIN CERTIFICATE-----")
CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----([^-]*)-----END CERTIFICATE-----[ \t]*\r?\n?")


def wanted_clients(facts: Facts, target: Target) -> bytes | None:
    """Return clients.pem's next text; None if the engine needs no more than ca.pem."""
    own = target.certificates.get("ca.pem", b"")
    there = facts.files.get(CLIENTS) if is_ours(facts, target) else None
    # With another CA, the holders can no longer verify the engine.
    is_ca_replaced = bool(there) and replaces_ca(facts, target)
    leaving = set(target.ending)
    if target.ending_holder:
        leaving |= {*cas_of_holder(facts, target.ending_holder, own)}
    if is_ca_replaced:
        leaving |= {*ca_digests(b"".join(target.holders)), *ca_digests(file_text(facts, OWN_CA))}
    leaving -= {*ca_digests(own)}
    joining = target.new_cas if there and listed_cas(facts) else (*target.holders, *target.new_cas)
    joining = (*(pem for key, pem in cas_beside_ours(facts, target).items() if key not in ca_digests(own)), *joining)
    if there is None and not joining:
        return None
    return with_cas(own, without_cas(there.content if there else b"", leaving), joining, leaving)


def unread_clients(facts: Facts, target: Target) -> bytes | None:
    """Return clients.pem's next text on a host whose engine does not read it, but may do so again."""
    if CLIENTS not in facts.files:
        return None
    leaving = {*target.ending, *(cas_of_holder(facts, target.ending_holder, b"") if target.ending_holder else ())}
    return without_cas(file_text(facts, CLIENTS), leaving)


def holders_coming_back(facts: Facts, target: Target) -> list[str]:
    """Return the holders, of those with a valid certificate, that the record and not the host lets in again."""
    if target.ssh_only or (listed_cas(facts) and is_ours(facts, target)):
        return []
    digests = ca_digests(b"".join(target.holders))
    return [target.holder_names[digest] for digest in digests if digest in target.holder_names]


def cas_beside_ours(facts: Facts, target: Target) -> dict[str, bytes]:
    """Return the CAs by digest that the engine accepts by a list of its owner, if the machine's own CA is in it."""
    own, found = ca_digests(target.certificates.get("ca.pem", b"")), cas_by_digest(facts.trusted)
    is_ours = daemon_json.read_config(facts).get("tlscert") == f"{OWN_DIRECTORY}/server.pem"
    return found if is_ours and own and {*own} <= {*found} else {}


def with_cas(own: bytes, text: bytes, joining: tuple[bytes, ...], leaving: set[str]) -> bytes:
    """Put a missing CA of the machine first, other missing ones last."""
    known = {*ca_digests(text)}
    if not {*ca_digests(own)} <= known:
        text = with_newline(own) + without_cas(text, {*ca_digests(own)})
    for ca in joining:
        if not {*ca_digests(ca)} <= {*ca_digests(text), *leaving}:
            text = with_newline(text) + with_newline(ca)
    return text


def with_newline(text: bytes) -> bytes:
    return text if text.endswith(b"\n") or not text else text + b"\n"


def without_cas(text: bytes, digests: set[str]) -> bytes:
    return CERTIFICATE.sub(lambda match: b"" if ca_digest(match[1]) in digests else match[0], text)


def ca_digests(text: bytes) -> list[str]:
    """Return the SHA256 of each certificate's DER in hexadecimal, in order; not that of a damaged one."""
    return list(filter(None, (ca_digest(match[1]) for match in CERTIFICATE.finditer(text))))


def ca_digest(body: bytes) -> str:
    try:
        return hashlib.sha256(binascii.a2b_base64(body)).hexdigest()
    except binascii.Error:
        return ""


def is_ours(facts: Facts, target: Target) -> bool:
    """Return whether clients.pem is this machine's: one that another machine took the host over from is not."""
    there = facts.sums.get(OWN_CA)
    if there is None:
        own = ca_digests(target.certificates.get("ca.pem", b""))
        # With SSH only, nothing but the list stays on the host.
        return {*own} <= {*listed_cas(facts)} if own and CLIENTS in facts.files else bool(target.own_cas)
    return there.sha256 in {hashlib.sha256(target.certificates.get("ca.pem", b"")).hexdigest(), *target.own_cas}


def replaces_ca(facts: Facts, target: Target) -> bool:
    there, own = facts.sums.get(OWN_CA), target.certificates.get("ca.pem", b"")
    return bool(there and own) and there is not None and there.sha256 != hashlib.sha256(own).hexdigest()


def file_text(facts: Facts, path: str) -> bytes:
    file = facts.files.get(path)
    return file.content if file else b""


def cas_on_host(facts: Facts) -> dict[str, bytes]:
    """Return the machine's CA as the host has it, and those of its list, by the SHA256 of their DER."""
    return cas_by_digest(file_text(facts, OWN_CA)) | listed_cas(facts)


def listed_cas(facts: Facts) -> dict[str, bytes]:
    """Return the certificates (PEM) in clients.pem by the SHA256 of their DER."""
    return cas_by_digest(file_text(facts, CLIENTS))


def cas_by_digest(text: bytes) -> dict[str, bytes]:
    found = {ca_digest(match[1]): match[0] for match in CERTIFICATE.finditer(text)}
    return {digest: pem for digest, pem in found.items() if digest}


def cas_of_holder(facts: Facts, who: str, own_ca: bytes) -> dict[str, str]:
    """Return the subjects of the CAs that machinectl made for a holder of that name, by the SHA256 of their DER."""
    own = ca_digests(own_ca + file_text(facts, OWN_CA))
    subjects = {digest: subject_of(pem) for digest, pem in listed_cas(facts).items() if digest not in own}
    return {digest: subject for digest, subject in subjects.items() if holder_named_by(subject).lower() == who.lower()}


def holder_named_by(subject: str) -> str:
    """Return the holder that machinectl made a CA for, "" if it is another CA."""
    match = OF_HOLDER.fullmatch(subject)
    # RFC 4514 escapes a plus sign.
    return match[1].replace("\\", "") if match else ""


def damage(facts: Facts) -> str:
    """Say how many certificates in clients.pem cannot be read, "" for none: their clients have no access."""
    text = file_text(facts, CLIENTS)
    readable = {match.start() for match in CERTIFICATE.finditer(text) if subject_of(match[0]) != UNREADABLE}
    count = sum(match.start() not in readable for match in BEGIN.finditer(text))
    return f"{plural(count, 'certificate')} in {CLIENTS} cannot be read" if count else ""


def unrecorded_cas(facts: Facts, recorded: AbstractSet[str], names: Mapping[str, str] = NO_NAMES) -> list[str]:
    """Return the names, else the subjects, of the CAs in clients.pem whose digests are not `recorded`."""
    listed = listed_cas(facts).items()
    return [names.get(digest) or subject_of(pem) for digest, pem in listed if digest not in recorded]


def subject_of(pem: bytes) -> str:
    try:
        return certs.describe(pem).subject
    except MachineError:
        return UNREADABLE
