"""Read and check certificates named by --tls-dir and --tls-…."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.files.fileset import has_unplaced_files, read_regular_file
from machinectl.hosts.identity import CLIENT_FILES, FILES, SERVER_FILES, Identity
from machinectl.machines.record import BrokenRecord
from machinectl.machines.spec import NO_CERTIFICATES
from machinectl.machines.store.docker_machine import is_shared
from machinectl.machines.tls_warnings import repair_hint
from machinectl.provision.client_cas import ca_digests

if TYPE_CHECKING:
    from machinectl.machines.record import Machine
    from machinectl.machines.spec import CertificateFiles


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
