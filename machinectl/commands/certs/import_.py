"""`certs import`: put certificates that were made elsewhere into a machine, checked before anything is written."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.machines.chosen import waiting
from machinectl.machines.fileset import only_writer, read_pem, replace_together

if TYPE_CHECKING:
    from collections.abc import Mapping

    from machinectl.console import Console
    from machinectl.machines.store import Store

CLIENT_FILES = ("ca.pem", "cert.pem", "key.pem")
SERVER_FILES = ("server.pem", "server-key.pem")


def certs_import(store: Store, console: Console, name: str, directory: str, *, force: bool = False) -> list[str]:
    """Copy a directory's certificates into a machine's; return the paths written.

    Other certificates that the machine has are replaced with `force` alone; then its CA key and server files go too,
    unless they still belong to the new CA. All files are put or none.
    """
    store.check_exists(name)
    files = read_tls_dir(directory)
    with store.lock(name, waiting(console, name)):
        machine = store.read(name)
        if machine.url and not machine.url.startswith("tcp://"):
            raise MachineError(
                f"{machine.url} does not use certificates",
                f"If the engine listens on TCP: machinectl set --url tcp://HOST:2376 {name}",
            )
        target = store.directory(name)
        with only_writer(target):
            stale = outdated(target, files)
            replace_together(
                target,
                {**files, **dict.fromkeys(stale, b"")},
                force=force,
                hint=f"Replace them: machinectl certs import --force {name} {shlex.quote(directory)}",
            )
    if stale:
        console.note(f"Removed what belonged to the CA before: {', '.join(stale)}")
    if not machine.tls:
        console.warn(f'"{name}" is registered without TLS; change it: machinectl set --tls {name}')
    return [os.path.join(target, file) for file in files]


def outdated(directory: str, files: Mapping[str, bytes]) -> list[str]:
    """The files of a machine that would stay, but do not belong to the CA that is to come."""
    from machinectl import certs

    stale: list[str] = []
    if "ca-key.pem" not in files and os.path.lexists(os.path.join(directory, "ca-key.pem")):
        try:
            certs.ca_pair(files["ca.pem"], read_pem(os.path.join(directory, "ca-key.pem")))
        except MachineError:
            stale.append("ca-key.pem")
    present = [file for file in SERVER_FILES if os.path.lexists(os.path.join(directory, file))]
    if "server.pem" not in files and present:
        try:
            certs.server_bundle(files["ca.pem"], *(read_pem(os.path.join(directory, file)) for file in SERVER_FILES))
        except MachineError:
            stale += present
    return stale


def read_tls_dir(directory: str) -> dict[str, bytes]:
    """A directory's ca.pem, cert.pem and key.pem, and ca-key.pem, server.pem and server-key.pem where they are there.

    All are checked. Raises MachineError for the first thing that is wrong.
    """
    from machinectl import certs

    found = present_files(directory)
    ca, cert, key = (os.path.join(directory, file) for file in CLIENT_FILES)
    files = read_tls_files(ca, cert, key)
    if "ca-key.pem" in found:
        ca_key = os.path.join(directory, "ca-key.pem")
        files["ca-key.pem"] = certs.ca_pair(files["ca.pem"], read_pem(ca_key), ca_file=ca, key_file=ca_key).key
    if "server.pem" in found or "server-key.pem" in found:
        server, server_key = (os.path.join(directory, file) for file in SERVER_FILES)
        checked = certs.server_bundle(
            files["ca.pem"],
            read_pem(server),
            read_pem(server_key),
            ca_file=ca,
            cert_file=server,
            key_file=server_key,
        )
        files.update((file, checked[file]) for file in SERVER_FILES)
    return files


def read_tls_files(ca: str, cert: str, key: str) -> dict[str, bytes]:
    """A client's three files, wherever they are, checked; by the names that docker looks for."""
    from machinectl import certs

    return certs.client_bundle(read_pem(ca), read_pem(cert), read_pem(key), ca_file=ca, cert_file=cert, key_file=key)


def present_files(directory: str) -> frozenset[str]:
    """The names in a directory. Raises MachineError where it cannot be listed or lacks what a client needs."""
    quoted = shlex.quote(directory)
    try:
        found = frozenset(os.listdir(directory))
    except FileNotFoundError as exc:
        raise MachineError(
            f"{directory} does not exist", f"Make certificates there: machinectl certs create --out {quoted} --san HOST"
        ) from exc
    except NotADirectoryError as exc:
        raise MachineError(f"{directory} is not a directory", "Give the directory that holds ca.pem.") from exc
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else str(exc)
        raise MachineError(f"{directory} cannot be read: {reason}", f"See: ls -ld {quoted}") from exc
    missing = [file for file in CLIENT_FILES if file not in found]
    if missing:
        raise MachineError(
            f"{directory} lacks {' and '.join(missing)}", f"A client needs {', '.join(CLIENT_FILES)}; see: ls {quoted}"
        )
    return found
