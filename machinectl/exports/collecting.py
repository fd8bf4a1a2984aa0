"""Read machines for an export: the record, and of the files in a machine's directory these and no others."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.errors import Hint, MachineError
from machinectl.exports.export_document import ExportedMachine
from machinectl.exports.old_conversion import KEY_FILE
from machinectl.files.fileset import read_regular_file
from machinectl.hosts.identity import CLIENT_FILES, SERVER_FILES
from machinectl.hosts.pending_certificates import settle_pending
from machinectl.machines.holders import CA_FILE, CA_KEY_FILE, DIRECTORY, holders_of
from machinectl.machines.jump_hosts import machine_of
from machinectl.machines.machine_driver import KNOWN_HOSTS
from machinectl.machines.selection import waiting
from machinectl.machines.store.file_reading import reading_files
from machinectl.machines.tls_warnings import unusable_certificates

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.console import Console
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

ALWAYS = (*CLIENT_FILES, *SERVER_FILES, KNOWN_HOSTS)
# The machine's own SSH key, its public half and its certificate.
SSH_KEY_FILES = tuple(f"{KEY_FILE}{end}" for end in ("", ".pub", "-cert.pub"))


@dataclass(frozen=True)
class Secrets:
    """The keys that go along on request only."""

    ca_key: bool = False
    ssh_key: bool = False


EVERYTHING = Secrets(ca_key=True, ssh_key=True)


@dataclass(frozen=True)
class Collected:
    machine: Machine
    exported: ExportedMachine


def exported_files(machine: Machine, secrets: Secrets) -> Iterator[str]:
    """Yield the names of files that may go along, which need not exist."""
    yield from ALWAYS
    if secrets.ca_key:
        yield CA_KEY_FILE
    if secrets.ssh_key and machine.driver == "generic":
        yield from SSH_KEY_FILES
    for holder in holders_of(machine):
        yield f"{DIRECTORY}/{holder.who}/{CA_FILE}"
        if secrets.ca_key:
            yield f"{DIRECTORY}/{holder.who}/{CA_KEY_FILE}"


def with_jump_hosts(store: Store, names: Sequence[str]) -> dict[str, str]:
    """Map the machines to export, jump hosts first, to the machine behind that brings it along; "" if it was named.

    Raises MachineError if one does not exist or cannot be read.
    """
    found: dict[str, str] = {}
    for name in names:
        way = [name]
        while (gate := machine_of(store.read(way[-1]).jump)) and gate not in way:
            way.append(gate)
        for behind, each in reversed(list(zip(["", *way], way, strict=False))):
            found.setdefault(each, behind)
    return {name: "" if name in names else behind for name, behind in found.items()}


def collect(store: Store, console: Console, name: str, secrets: Secrets) -> Collected:
    """Read a machine under its lock. Raises MachineError if it is incomplete, or its certificates are uncertain."""
    store.check_exists(name)
    settle_pending(store, name)
    with reading_files(store, name, waiting(console, name)):
        machine = store.read_ready(name)
        if store.is_unsettled(name):
            raise MachineError(
                f'"{name}" may get other certificates: a run of machinectl on its host was interrupted',
                Hint("Finish that first", "machinectl provision", name),
            )
        problem = unusable_certificates(machine)
        if problem and any(os.path.lexists(os.path.join(machine.directory, file)) for file in CLIENT_FILES):
            raise MachineError(problem.cause, problem.hint)
        paths = {file: os.path.join(machine.directory, file) for file in exported_files(machine, EVERYTHING)}
        there = [file for file, path in paths.items() if os.path.lexists(path)]
        wanted = set(exported_files(machine, secrets))
        files = {file: read_regular_file(paths[file]) for file in there if file in wanted}
        left_out = tuple(file for file in there if file not in wanted)
        return Collected(machine, ExportedMachine(machine.dump(), files, left_out))
