"""Read machines for an export."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.files.fileset import read_regular_file
from machinectl.hosts.certificates.identity import CLIENT_FILES
from machinectl.hosts.certificates.pending import settle_pending
from machinectl.hosts.second_computer.export_document import ExportedMachine
from machinectl.hosts.second_computer.exported_files import Secrets, exported_files, ssh_key_path
from machinectl.machines.jump_hosts import machine_of
from machinectl.machines.selection import waiting
from machinectl.machines.store.file_reading import reading_files
from machinectl.machines.tls_warnings import unusable_certificates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.console import Console
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

EVERYTHING = Secrets(ca_key=True, ssh_key=True)


@dataclass(frozen=True)
class Collected:
    machine: Machine
    exported: ExportedMachine
    # The SSH key that the machine's record names, if it stays here.
    ssh_key_here: str = ""


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
                f"Finish that first: machinectl provision {name}",
            )
        problem = unusable_certificates(machine)
        if problem and any(os.path.lexists(os.path.join(machine.directory, file)) for file in CLIENT_FILES):
            raise MachineError(problem.cause, problem.hint)
        wanted = set(exported_files(machine, secrets))
        there = [
            file
            for file in exported_files(machine, EVERYTHING)
            if os.path.lexists(os.path.join(machine.directory, file))
        ]
        files = {file: read_regular_file(os.path.join(machine.directory, file)) for file in there if file in wanted}
        left_out = tuple(file for file in there if file not in wanted)
        key = ssh_key_path(machine)
        stays = key if key and os.path.basename(key) not in files else ""
        return Collected(machine, ExportedMachine(machine.dump(), files, left_out), stays)
