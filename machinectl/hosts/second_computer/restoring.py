"""Add the machines of an export to the store; never change one that is there."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.driver.driver_options import option_flag
from machinectl.errors import MachineError, UsageError, closest_match, one_line
from machinectl.files.fileset import read_regular_file
from machinectl.host_changes import CaTrusted, of_kind
from machinectl.hosts.certificates.identity import CLIENT_FILES, SERVER_FILES
from machinectl.hosts.connection.machine_driver import driver_of
from machinectl.hosts.second_computer.collecting import EVERYTHING
from machinectl.hosts.second_computer.exported_files import SSH_KEY_ENDS, exported_files, ssh_key_files
from machinectl.hosts.second_computer.hostile_content import check_content, hostile, where_of
from machinectl.hosts.second_computer.machines_here import MachinesHere
from machinectl.machines.create_options import ACCESS_LIFETIME, ENGINE_FLAGS
from machinectl.machines.docker_machine.store_import import ImportedMachine
from machinectl.machines.holders import CA_FILE, CA_KEY_FILE, DIRECTORY
from machinectl.machines.jump_hosts import MACHINE, host_of, machine_of
from machinectl.machines.record import SCHEMA, BrokenRecord, check_name, check_ready, parse_record
from machinectl.machines.selection import matching, waiting
from machinectl.ssh.ssh_settings import jump_host

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from machinectl.console import Console
    from machinectl.hosts.second_computer.export_document import ExportDocument, ExportedMachine
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store


def chosen_machines(document: ExportDocument, words: Sequence[str]) -> dict[str, str]:
    """Map machines of the export to their names here, jump hosts first. Words are [LOCAL:]NAME; none means all.

    Raises MachineError for a machine that the export does not have.
    """
    chosen: dict[str, str] = {}
    for word in words:
        local, colon, name = word.rpartition(":")
        if colon:
            check_name(local, "importing")
        for each in [name] if colon else matching([name], lambda: document.machines):
            if each not in document.machines:
                near = closest_match(each, document.machines)
                there = f"Did you mean {near}?" if near else f"It has {one_line(', '.join(document.machines))}"
                raise MachineError(f'The export has no machine "{one_line(each, 80)}"', there)
            if chosen.setdefault(each, local or each) != (local or each):
                raise UsageError(f'"{each}" is named twice', "Name each machine once")
    chosen = chosen or {name: name for name in document.machines}
    ordered: dict[str, str] = {}
    for name in chosen:
        ordered |= {each: chosen.get(each, each) for each in way_to(document, name)}
    if len({local.lower() for local in ordered.values()}) < len(ordered):
        raise UsageError("Two machines would have the same name here", "Give them different names: LOCAL:NAME")
    return ordered


def way_to(document: ExportDocument, name: str) -> list[str]:
    """Return the machine's jump hosts in the export, outermost first, then the machine."""
    way = [name]
    while (gate := gate_in(document.machines[way[-1]])) in document.machines and gate not in way:
        way.append(gate)
    return way[::-1]


def gate_in(machine: ExportedMachine) -> str:
    jump = json.loads(machine.record).get("jump")
    return machine_of(jump) if isinstance(jump, str) else ""


@dataclass
class Restoring:
    """An import of an export. A dry run only returns what it would do."""

    store: Store
    console: Console
    document: ExportDocument
    context: bool
    dry_run: bool
    # Names here of machines that are imported, by their names in the export.
    done: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.here = MachinesHere(self.store)

    def restore(self, name: str, local: str) -> ImportedMachine:
        """Add one machine completely or not at all. Raises MachineError."""
        exported = self.document.machines[name]
        machine = self.parse(local, exported)
        files = dict(exported.files)
        if self.dry_run:
            there = self.same_machine(machine, files)
            result = self.added_to(there, machine, files, None) if there else None
        elif there := self.same_machine(machine, files):
            with self.store.writing(there.name, waiting(self.console, there.name)) as held:
                result = self.added_to(held.machine, machine, files, held)
        else:
            with self.store.writing(local, waiting(self.console, local)) as held:
                # Another process may have added it meanwhile.
                self.store.check_free(local)
                if note := held.add(machine, files):
                    self.console.note(note)
            self.here.add(machine)
            result = None
        result = result or ImportedMachine(machine, new=True, remarks=tuple(self.remarks(machine, exported)))
        self.done[name] = result.here.name if result.here else local
        return result

    def parse(self, local: str, exported: ExportedMachine) -> Machine:
        """Check everything that a damaged or hostile export may have."""
        check_name(local, "importing")
        schema = json.loads(exported.record).get("schema")
        try:
            machine = parse_record(local, exported.record, self.store.directory(local))
            check_ready(machine)
        except BrokenRecord as exc:
            is_newer = type(schema) is int and schema > SCHEMA
            raise MachineError(exc.cause, exc.hint if is_newer else "Export it again") from exc
        if host := host_of(machine.jump):
            jump_host(host)
        where_of(machine)
        strange = set(exported.files) - set(exported_files(machine, EVERYTHING))
        if strange:
            raise hostile(machine, f"an export has no {one_line(min(strange), 80)!r}")
        check_content(machine, exported.files)
        machine.failure = {}
        # It would say that the host has settings which only `provision` can prove.
        machine.applied = {}
        # `rm --purge` would undo as root what anybody has written there. The host has its own list (`shared_hosts`).
        machine.changes = of_kind(machine.changes, CaTrusted)
        # `rm` would have the driver delete what anybody has named in the state.
        machine.made = False
        machine.context = machine.context and self.context
        if gate := machine_of(machine.jump):
            if gate not in self.done:
                raise MachineError(
                    f'"{local}" is not imported: its jump host "{gate}" is not',
                    "Import both, or export them again",
                )
            machine.jump = f"{MACHINE}{self.done[gate]}"
        return machine

    def same_machine(self, new: Machine, files: Mapping[str, bytes]) -> Machine | None:
        """Return the machine if it is here, maybe under another name. Raises MachineError if its name is taken."""
        for there in self.here.alike(new):
            if is_same(there, new, files.get(CA_FILE, b"")):
                return there
        if name := self.here.name_of(new.name):
            raise MachineError(
                f'"{new.name}" is not imported: there is another machine "{name}" here',
                f"Import it under another name, <LOCAL>:{new.name}; or forget the one here first: machinectl rm {name}",
            )
        self.store.check_free(new.name)
        return None

    def added_to(self, there: Machine, new: Machine, files: Mapping[str, bytes], held: Held | None) -> ImportedMachine:
        """Add keys that an earlier export did not have."""
        if held:
            held.finish_files()
        missing = missing_files(there, files)
        if held:
            for file, data in missing.items():
                held.write_file(file, data)
        remarks: list[str] = []
        others = list(differences(there, new))
        if files.get("cert.pem", b"") not in {b"", *present(there, ["cert.pem"]).values(), *missing.values()}:
            others.append("another client certificate")
        if others:
            remarks.append(
                f"the export has {', '.join(others)}; that is not taken: change it here (machinectl set --help), or, "
                f"to replace the machine, forget it first: machinectl rm {there.name}"
            )
        remarks += self.key_remarks(there, files)
        return ImportedMachine(there, remarks=tuple(remarks), added=tuple(missing))

    def key_remarks(self, machine: Machine, files: Mapping[str, bytes]) -> Iterator[str]:
        key = next(iter(ssh_key_files(machine)), "")
        if key and key not in files and not present(machine, [key]):
            yield (
                f"its SSH key stayed on {self.document.by or 'the other computer'}; give it one that its host knows: "
                f"{set_ssh_key(machine, key)}"
            )

    def remarks(self, machine: Machine, exported: ExportedMachine) -> Iterator[str]:
        yield from self.key_remarks(machine, exported.files)
        if json.loads(exported.record).get("changes") and not machine.changes:
            yield (
                f"only {self.document.by or 'the other computer'} knows what was done on its host, and can undo that: "
                f"machinectl rm --purge {machine.name}"
            )
        if json.loads(exported.record).get("made"):
            yield "machinectl rm here does not delete its host; on the computer that created it, it does"
        for there in self.here.at_place_of(machine):
            if there.name != machine.name:
                yield (
                    f'"{there.name}" is at {there.url}, too, with another CA; if that is the same host, forget the '
                    f"one whose certificates are old: machinectl rm {there.name}"
                )
        for address, name in self.here.taken_addresses(machine):
            yield (
                f'{address} is an address of "{name}", too; if that is another host, set the addresses without it: '
                f"machinectl set --address <ADDRESS> {machine.name}"
            )
        if machine.url.startswith("unix://"):
            yield f"{machine.url} is an engine of this computer, and not the one that was exported"
        if os.path.isabs(machine.fleet) and not os.path.exists(machine.fleet):
            yield f"it belongs to the fleet file {one_line(machine.fleet)}, which is not on this computer"


def set_ssh_key(machine: Machine, key: str) -> str:
    options = [option for option in driver_of(machine).options() if option.path and option.name in machine.options]
    if options:
        return f"machinectl set {option_flag(options[0])} <FILE> {machine.name}"
    return f"cp <FILE> {os.path.join(machine.directory, key)}"


def is_same(there: Machine, new: Machine, ca: bytes) -> bool:
    """Compare CAs, else the drivers' states: two hosts in two networks may have one address, and one CA two hosts."""
    at_one_place = is_at_one_place(there, new)
    here = present(there, [CA_FILE]).get(CA_FILE, b"")
    if here and ca:
        return here == ca and (at_one_place or there.name.lower() == new.name.lower())
    return at_one_place


def is_at_one_place(there: Machine, new: Machine) -> bool:
    return there.driver == new.driver and there.url == new.url


def differences(there: Machine, new: Machine) -> Iterator[str]:
    if there.url != new.url:
        yield f"another URL ({new.url})"
    if there.labels != new.labels:
        yield "other labels"
    if set(there.addresses) != set(new.addresses):
        yield "other addresses"
    if there.jump != new.jump:
        yield f"another jump host ({one_line(new.jump) or 'none'})"
    if there.driver != new.driver:
        yield f"another driver ({one_line(new.driver)})"
    elif flags := list(other_options(there, new)):
        yield f"another {', '.join(flags)}"


def other_options(there: Machine, new: Machine) -> Iterator[str]:
    """Yield the flags that differ, except paths, which belong to one computer, and the host, which the URL names."""
    for option in driver_of(new).options():
        values = [machine.driver_options.get(option.name, option.default) for machine in (there, new)]
        if not (option.path or option.identity) and values[0] != values[1]:
            yield option_flag(option)
    for flag in ENGINE_FLAGS:
        if getattr(there.engine, flag.key) != getattr(new.engine, flag.key):
            yield flag.flag
    if there.lifetime != new.lifetime:
        yield ACCESS_LIFETIME.flag


def present(machine: Machine, files: Sequence[str]) -> dict[str, bytes]:
    paths = {file: os.path.join(machine.directory, file) for file in files}
    return {file: read_regular_file(path) for file, path in paths.items() if os.path.lexists(path)}


def missing_files(there: Machine, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return what a machine here lacks, in the order to write it. Sets of which a file differs are left out."""
    ca, key = present(there, [CA_FILE]).get(CA_FILE, b""), next(iter(ssh_key_files(there)), "")
    # The key last: with it, the set is complete.
    sets: list[Sequence[str]] = [[key + end for end in reversed(SSH_KEY_ENDS)]] if key else []
    if not ca:
        sets.append(CLIENT_FILES[::-1])
    if not ca or ca == files.get(CA_FILE):
        sets.append(SERVER_FILES)
    if ca == files.get(CA_FILE) and is_ca_key(ca, files.get(CA_KEY_FILE, b"")):
        sets += [[CA_KEY_FILE], *([file] for file in files if holder_is_same(there, files, file))]
    found: dict[str, bytes] = {}
    for each in sets:
        here = present(there, each)
        if all(files.get(file) == data for file, data in here.items()):
            found |= {file: files[file] for file in each if file in files and file not in here}
    return found


def is_ca_key(ca: bytes, key: bytes) -> bool:
    try:
        certs.ca_pair(ca, key)
    except MachineError:
        return False
    return True


def holder_is_same(there: Machine, files: Mapping[str, bytes], file: str) -> bool:
    """Return whether it is the key of a holder's CA that is here."""
    ca = f"{os.path.dirname(file)}/{CA_FILE}"
    is_key = file.startswith(f"{DIRECTORY}/") and file.endswith(f"/{CA_KEY_FILE}")
    return is_key and ca in files and present(there, [ca]).get(ca) == files[ca]
