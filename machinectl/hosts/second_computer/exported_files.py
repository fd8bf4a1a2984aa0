"""Which files of a machine's directory go into an export, and no others."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.hosts.certificates.identity import CLIENT_FILES, SERVER_FILES
from machinectl.hosts.connection.machine_driver import KNOWN_HOSTS, driver_instance, driver_of
from machinectl.machines.holders import CA_FILE, CA_KEY_FILE, DIRECTORY, holders_of
from machinectl.machines.store.store_paths import PENDING, RECORD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.machines.record import Machine

ALWAYS = (*CLIENT_FILES, *SERVER_FILES, KNOWN_HOSTS)
# The public half and the certificate of an SSH key.
SSH_KEY_ENDS = ("", ".pub", "-cert.pub")
# A driver names the key's file; letters that no option, path or hidden file begins with.
SSH_KEY_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", re.ASCII)
RESERVED = {*ALWAYS, CA_KEY_FILE, RECORD, PENDING, DIRECTORY}


@dataclass(frozen=True)
class Secrets:
    """The keys that go along on request only."""

    ca_key: bool = False
    ssh_key: bool = False


def exported_files(machine: Machine, secrets: Secrets) -> Iterator[str]:
    """Yield the names of files that may go along, which need not exist."""
    yield from ALWAYS
    if secrets.ca_key:
        yield CA_KEY_FILE
    if secrets.ssh_key:
        yield from ssh_key_files(machine)
    for holder in holders_of(machine):
        yield f"{DIRECTORY}/{holder.who}/{CA_FILE}"
        if secrets.ca_key:
            yield f"{DIRECTORY}/{holder.who}/{CA_KEY_FILE}"


def ssh_key_files(machine: Machine) -> tuple[str, ...]:
    """Return the names of the machine's own SSH key in its directory; () if it uses the user's.

    Raises MachineError if the driver does not load, or the record is not the driver's.
    """
    path = ssh_key_path(machine)
    directory, name = os.path.split(path)
    if directory != machine.directory or name in RESERVED or not SSH_KEY_NAME.fullmatch(name):
        return ()
    return tuple(name + end for end in SSH_KEY_ENDS)


def ssh_key_path(machine: Machine) -> str:
    ssh = driver_of(machine).where(driver_instance(machine)).ssh
    return ssh.key if ssh else ""
