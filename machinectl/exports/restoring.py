"""Add the machines of an export to the store; never change one that is there.

An export may be a stranger's: what machinectl writes into no machine is refused.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from machinectl.driver import DriverError
from machinectl.errors import Hint, MachineError, UsageError, closest_match, one_line
from machinectl.exports.docker_machine_import import ImportedMachine, add_imported, import_each
from machinectl.exports.docker_machine_records import KEY_FILE, Remark
from machinectl.exports.exporting import EVERYTHING, exported_files
from machinectl.files.fileset import read_regular_file
from machinectl.machines.addresses import parse_addresses
from machinectl.machines.holders import CA_FILE, OwnAccess, holders_of, is_holder_name, is_time
from machinectl.machines.jump_hosts import MACHINE, host_of, machine_of
from machinectl.machines.machine_driver import KNOWN_HOSTS, driver_instance, driver_of
from machinectl.machines.record import SCHEMA, BrokenRecord, check_name, check_ready, parse_record
from machinectl.machines.selection import matching
from machinectl.machines.spec import check_lifetime
from machinectl.machines.store.docker_machine import check_apart
from machinectl.machines.swarm_node import MEMBER, on_record
from machinectl.provision.host_changes import CaTrusted, of_kind
from machinectl.ssh.keys.known_hosts import is_wide
from machinectl.ssh.ssh_settings import check_endpoint, jump_host

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from machinectl.console import Console
    from machinectl.driver import Where
    from machinectl.exports.export_document import ExportDocument, ExportedMachine
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store


# Other drivers act on whatever host their state names.
PLAIN_DRIVERS = frozenset({"none", "generic"})


def import_export(
    store: Store,
    console: Console,
    document: ExportDocument,
    words: Sequence[str],
    *,
    context: bool = True,
    dry_run: bool = False,
) -> Iterator[tuple[str, ImportedMachine | MachineError]]:
    """Import each machine completely or not at all. Existing machines stay unchanged."""
    check_apart(store.root)
    run = Restoring(store, console, document, context, dry_run)
    chosen = chosen_machines(document, words)
    work = {local: partial(run.restore, name, local) for name, local in chosen.items()}
    yield from import_each(store, work, dry_run=dry_run)


def chosen_machines(document: ExportDocument, words: Sequence[str]) -> dict[str, str]:
    """Map machines of the export to their names here, jump hosts first. Words are [LOCAL:]NAME; none means all.

    Raises MachineError for a machine that the export does not have.
    """
    chosen: dict[str, str] = {}
    for word in words:
        local, colon, name = word.rpartition(":")
        if colon:
            check_name(local, "importing")
        for wanted in [name] if colon else matching([name], lambda: document.machines):
            if wanted not in document.machines:
                near = closest_match(wanted, document.machines)
                known = f"Did you mean {near}?" if near else f"It has {one_line(', '.join(document.machines))}"
                raise MachineError(f'The export has no machine "{one_line(wanted, 80)}"', Hint(known))
            if chosen.setdefault(wanted, local or wanted) != (local or wanted):
                raise UsageError(f'"{wanted}" is named twice', Hint("Name each machine once"))
    chosen = chosen or {name: name for name in document.machines}
    for name in [*chosen]:
        while (name := gate_in(document.machines[name])) in document.machines and name not in chosen:
            chosen[name] = name
    if len({local.lower() for local in chosen.values()}) < len(chosen):
        raise UsageError("Two machines would have the same name here", Hint("Give them different names: LOCAL:NAME"))
    # An export has jump hosts before the machines behind them.
    return {name: chosen[name] for name in document.machines if name in chosen}


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
        self.machines = self.store.readable()
        self.clusters = {node.cluster for machine in self.machines if (node := on_record(machine))}

    def restore(self, name: str, local: str) -> ImportedMachine:
        """Add one machine completely or not at all. Raises MachineError."""
        exported = self.document.machines[name]
        machine, remarks = self.parse(local, exported)
        if earlier := self.same_machine(machine, exported.files):
            self.done[name] = earlier.name
            return ImportedMachine(earlier)
        add_imported(self.store, self.console, machine, exported.files, dry_run=self.dry_run)
        self.machines.append(machine)
        self.done[name] = local
        return ImportedMachine(machine, new=True, remarks=(*remarks, *self.remarks(machine, exported)))

    def parse(self, local: str, exported: ExportedMachine) -> tuple[Machine, list[Remark]]:
        """Check everything that a damaged or hostile export may have."""
        check_name(local, "importing")
        schema = json.loads(exported.record).get("schema")
        try:
            machine = parse_record(local, exported.record, self.store.directory(local))
            check_ready(machine)
        except BrokenRecord as exc:
            is_newer = type(schema) is int and schema > SCHEMA
            raise MachineError(exc.cause, exc.hint if is_newer else Hint("Export it again")) from exc
        if machine.driver not in PLAIN_DRIVERS:
            raise MachineError(
                f'"{local}" is not imported: its driver is {one_line(machine.driver, 80)}, not none or generic',
                Hint("Register its engine", "machinectl create -d none --url <URL>", local),
            )
        remarks: list[Remark] = []
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
        # A path of the other computer: the CA of a store with that path on this one would sign for the machine.
        machine.origin = {}
        # A fleet file here would change and remove it unasked: `apply` takes the machines that the file names.
        machine.fleet = ""
        node = on_record(machine)
        if node and (node.membership != MEMBER or node.cluster in self.clusters):
            # Its engine would be believed as a manager of the swarm, and new nodes would join there.
            machine.swarm = {}
            hint = Hint("If it is a node of that swarm, record it", "machinectl swarm join", "<MANAGER>", local)
            remarks.append(Remark("its place in a swarm of machines here is not imported", hint))
        if gate := machine_of(machine.jump):
            if gate not in self.done:
                raise MachineError(
                    f'"{local}" is not imported: its jump host "{gate}" is not',
                    Hint("Import both, or export them again"),
                )
            machine.jump = f"{MACHINE}{self.done[gate]}"
        return machine, remarks

    def same_machine(self, new: Machine, files: Mapping[str, bytes]) -> Machine | None:
        """Return the machine if it is here, maybe under another name."""
        ca, name = files.get(CA_FILE, b""), new.name.lower()
        for machine in sorted(self.machines, key=lambda machine: machine.name.lower() != name):
            is_alike = machine.name.lower() == name or is_at_one_place(machine, new)
            if is_alike and is_same(machine, new, ca):
                return machine
        return None

    def remarks(self, machine: Machine, exported: ExportedMachine) -> Iterator[Remark]:
        other = self.document.by or "the other computer"
        if KEY_FILE in exported.left_out and machine.driver == "generic":
            hint = Hint("Give it one that its host knows", "machinectl set --ssh-key <FILE>", machine.name)
            yield Remark(f"its SSH key stayed on {other}", hint)
        if json.loads(exported.record).get("changes") and not machine.changes:
            hint = Hint("There", "machinectl rm --purge", machine.name, elsewhere=True)
            yield Remark(f"only {other} knows what was done on its host, and can undo that", hint)


def is_same(known: Machine, new: Machine, ca: bytes) -> bool:
    """Compare CAs, else the URLs: two hosts in two networks may have one address, and one CA two hosts."""
    path = os.path.join(known.directory, CA_FILE)
    known_ca = read_regular_file(path) if ca and os.path.lexists(path) else b""
    return known_ca == ca if known_ca else is_at_one_place(known, new)


def is_at_one_place(known: Machine, new: Machine) -> bool:
    return known.driver == new.driver and known.url == new.url


def check_content(machine: Machine, files: Mapping[str, bytes]) -> None:
    """Raise MachineError, and UsageError for what the command line refuses, too."""
    machine.engine.check()
    ssh = where_of(machine).ssh
    if ssh:
        check_endpoint(ssh)
        if machine.url.startswith("unix://"):
            raise hostile(machine, f"{machine.url} is an engine of this computer, and not of {ssh.host}")
    check_sharing(machine)
    check_lifetime(machine.lifetime)
    if parse_addresses(machine.addresses) != tuple(machine.addresses):
        raise hostile(machine, 'its "addresses" are invalid')
    for key, value in machine.labels.items():
        if not key.strip() or not (key + value).isprintable():
            raise hostile(machine, f"its label {one_line(key, 80)!r} is empty, or has unprintable characters")
    for key, value in machine.engine.dump().items():
        if not all(str(text).isprintable() for text in (value if isinstance(value, list) else [value])):
            # The value may be a password.
            raise hostile(machine, f'the "{one_line(key, 80)}" of its engine has unprintable characters')
    for line in files.get(KNOWN_HOSTS, b"").decode(errors="replace").split("\n"):
        if is_wide(line) or not line.rstrip("\r").replace("\t", " ").isprintable():
            raise hostile(machine, f"its {KNOWN_HOSTS} trusts a CA, or a key for hosts that it does not name")


def where_of(machine: Machine) -> Where:
    """Return where the driver finds the engine. Raises MachineError that blames the export."""
    driver = driver_of(machine)
    try:
        return driver.where(driver_instance(machine))
    except DriverError as exc:
        raise hostile(machine, f'its "driver_state" is invalid: {exc.cause}') from exc


def check_sharing(machine: Machine) -> None:
    """Check the holders: their names and times become part of commands to type."""
    own = OwnAccess.of(machine)
    if machine.access and not (own and own.is_valid):
        raise hostile(machine, 'its "access" is invalid')
    holders = holders_of(machine)
    words = [
        word
        for holder in holders
        for word in (holder.by, holder.ca, *(text for key in holder.keys for text in vars(key).values()))
    ]
    if len(holders) < len(machine.holders) or not all(map(str.isprintable, words)):
        raise hostile(machine, 'its "holders" are invalid')
    if not all(isinstance(ended, dict) and is_ended(ended) for ended in machine.ended):
        raise hostile(machine, 'its "ended" is invalid')


def is_ended(data: Mapping[str, object]) -> bool:
    who, keys, when = (data.get(key) for key in ("who", "keys", "when"))
    return is_holder_name(str(who)) and isinstance(keys, list) and is_time(str(when))


def hostile(machine: Machine, why: str) -> MachineError:
    return MachineError(
        f'"{machine.name}" is not imported: {why}', Hint("Import only files that your own machinectl exported")
    )
