"""Certificates of a machine: read those that --tls-… names, keep what is valid, and sign the others."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.engine.endpoint import Deadline, EngineError
from machinectl.engine.http import dial, get
from machinectl.engine.tls import ClocksDiffer
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.files.fileset import has_unplaced_files, read_regular_file
from machinectl.hosts.identity import CLIENT_FILES, FILES, SERVER_FILES, Identity
from machinectl.machines.machine_driver import endpoint_of
from machinectl.machines.record import BrokenRecord
from machinectl.machines.spec import NO_CERTIFICATES
from machinectl.machines.store.docker_machine import is_shared
from machinectl.machines.tls_warnings import repair_hint
from machinectl.provision.client_cas import ca_digests
from machinectl.provision.host_changes import CaTrusted, of_kind
from machinectl.provision.preflight import check_valid_there
from machinectl.value_classes import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from machinectl.machines.record import Machine
    from machinectl.machines.spec import CertificateFiles

# Seconds. An engine that is off holds nobody up for long.
CLOCK_TIMEOUT = 5.0


def check_has_certificates(machine: Machine) -> None:
    """Raise MachineError for an engine without a listener; files of a former one stay here for its return."""
    if machine.engine.ssh_only:
        raise MachineError(
            f'The engine of "{machine.name}" has no certificates: it is reached over SSH only',
            Hint("Let it listen with TLS", "machinectl set --no-ssh-only", machine.name)
            | Hint("", "machinectl provision", machine.name),
        )


def check_has_ca(machine: Machine) -> None:
    """Raise MachineError without the machine's CA: it leads the list of those that its engine accepts."""
    if has_unplaced_files(machine.directory):
        # A killed command left them for the next one, which puts them in place first.
        return
    ca = Identity.read(machine.directory).ca
    if not ca_digests(ca):
        raise MachineError(
            f'The CA of "{machine.name}", ca.pem, is {"damaged" if ca else "missing"} here', repair_hint(machine)
        )


def read_named_certificates(files: CertificateFiles) -> Identity | None:
    if files == NO_CERTIFICATES:
        return None
    if files.directory and (files.ca or files.certificate or files.key):
        raise UsageError("--tls-dir and the --tls-… files exclude each other", Hint("Give only the directory"))
    if files.directory:
        return read_tls_dir(files.directory)
    if files.whole:
        return read_tls_files(files.ca, files.certificate, files.key)
    raise UsageError(
        "A client needs its certificate, its key and the CA of the engine",
        Hint("Give all of --tls-ca-cert, --tls-client-cert and --tls-client-key, or --tls-dir"),
    )


def has_named_certificates(machine: Machine | None, files: CertificateFiles) -> bool:
    """Compare with the given files, except the server's if machinectl renews it. Raises BrokenRecord."""
    try:
        have = Identity.read(machine.directory) if machine else Identity()
    except MachineError as exc:
        raise BrokenRecord(exc.cause, exc.hint) from exc
    renewed = SERVER_FILES if machine and machine.changes else ()

    def has(name: str, data: bytes) -> bool:
        return name in renewed or have.files[name] == data

    if machine and all(has(name, read_regular_file(path)) for name, path in named_paths(files).items()):
        return True
    given = read_named_certificates(files)
    return given is not None and all(has(name, data) for name, data in given.present.items())


def named_paths(files: CertificateFiles) -> dict[str, str]:
    if not files.directory:
        return dict(zip(CLIENT_FILES, (files.ca, files.certificate, files.key), strict=True))
    paths = {name: os.path.join(files.directory, name) for name in FILES.values()}
    return {name: path for name, path in paths.items() if name in CLIENT_FILES or os.path.lexists(path)}


def read_tls_dir(directory: str) -> Identity:
    """Read the client's files and, if present, the server's pair and a CA key that no other machine shares."""
    try:
        found = frozenset(os.listdir(directory))
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else str(exc)
        raise MachineError(f"{directory} cannot be read: {reason}", Hint("See", "ls -ld", directory)) from exc
    if missing := [file for file in CLIENT_FILES if file not in found]:
        raise MachineError(
            f"{directory} lacks {', '.join(missing)}", Hint("Give the directory that has ca.pem, cert.pem and key.pem")
        )
    ca, cert, key = (os.path.join(directory, file) for file in CLIENT_FILES)
    files = read_tls_files(ca, cert, key).present
    if "ca-key.pem" in found and not is_shared(directory):
        ca_key = os.path.join(directory, "ca-key.pem")
        files["ca-key.pem"] = certs.ca_pair(files["ca.pem"], read_regular_file(ca_key), ca_file=ca, key_file=ca_key).key
    if "server.pem" in found or "server-key.pem" in found:
        server, server_key = (os.path.join(directory, file) for file in SERVER_FILES)
        checked = certs.server_bundle(
            files["ca.pem"],
            read_regular_file(server),
            read_regular_file(server_key),
            files=(ca, server, server_key),
        )
        files.update((file, checked[file]) for file in SERVER_FILES)
    return Identity.of_files(files)


def read_tls_files(ca: str, cert: str, key: str) -> Identity:
    checked = certs.client_bundle(
        read_regular_file(ca), read_regular_file(cert), read_regular_file(key), files=(ca, cert, key)
    )
    return Identity.of_files(checked)


def files_of_other_ca(old: Identity, new: Identity) -> list[str]:
    """Return kept files that `new`'s CA did not sign."""
    stale: list[str] = []
    if old.ca_key and not new.ca_key:
        try:
            certs.ca_pair(new.ca, old.ca_key)
        except MachineError:
            stale.append("ca-key.pem")
    present = [file for file in SERVER_FILES if file in old.present]
    if present and not new.server:
        try:
            certs.server_bundle(new.ca, old.server, old.server_key)
        except MachineError:
            stale += present
    return stale


def given_ca(ca_cert: str | None, ca_key: str | None) -> certs.Pair | None:
    if ca_cert and ca_key:
        return certs.ca_pair(read_regular_file(ca_cert), read_regular_file(ca_key), ca_file=ca_cert, key_file=ca_key)
    if ca_cert or ca_key:
        raise UsageError("A CA needs its certificate and its key", Hint("Give both: --ca-cert FILE --ca-key FILE"))
    return None


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
