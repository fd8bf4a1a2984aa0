"""Copy machines from docker-machine's store, which is only read, into ours."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.driver import Instance
from machinectl.driver.installed_drivers import load
from machinectl.engine.tls import CA, CERTIFICATE, KEY
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.exports.docker_machine_records import (
    KEY_FILE,
    Conversion,
    Remark,
    converted_machine,
    key_path,
    old_machine_names,
    read_ssh_key,
    usual_root,
)
from machinectl.files.atomic import StoreError
from machinectl.files.fileset import read_regular_file
from machinectl.machines.config_json import Origin
from machinectl.machines.selection import waiting
from machinectl.machines.store.docker_machine import into_own_store, old_machines, shared_certificates
from machinectl.machines.store.machine_store import read_or_none
from machinectl.machines.store.store_directory import sweep
from machinectl.machines.store.store_paths import StorePaths
from machinectl.machines.tls_warnings import unprotected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from machinectl.console import Console
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store


@dataclass(frozen=True)
class ImportedMachine:
    """`new` is False for an earlier import."""

    here: Machine
    new: bool = False
    remarks: tuple[Remark, ...] = ()


def import_docker_machine(
    store: Store, console: Console, directory: str, *, context: bool = True, dry_run: bool = False
) -> Iterator[tuple[str, ImportedMachine | MachineError]]:
    """Import each machine completely or not at all. Existing machines stay unchanged."""
    root = os.path.abspath(os.path.expanduser(directory)) if directory else usual_root()
    check_separate_stores(store, root)
    run = StoreImport(store, console, root, context, dry_run)
    work = {name: partial(run.import_machine, name) for name in old_machine_names(root)}
    yield from import_each(store, work, dry_run=dry_run)


def import_each(
    store: Store, work: Mapping[str, Callable[[], ImportedMachine]], *, dry_run: bool
) -> Iterator[tuple[str, ImportedMachine | MachineError]]:
    for name, do in work.items():
        try:
            result: ImportedMachine | MachineError = do()
        except MachineError as exc:
            result = exc
        yield name, result
    if not dry_run:
        sweep(store)


def check_separate_stores(store: Store, root: str) -> None:
    """Raise UsageError for one store inside the other."""
    theirs, ours = os.path.realpath(root), os.path.realpath(store.root)
    if old_machines(root) and (ours == theirs or ours.startswith(f"{theirs}{os.sep}")):
        raise UsageError(
            f"{root} is docker-machine's store, and machinectl would keep its machines there, too; it needs a "
            "store of its own",
            into_own_store(root),
        )


@dataclass
class StoreImport:
    """An import from `root`. A dry run only returns what it would do."""

    store: Store
    console: Console
    root: str
    context: bool
    dry_run: bool

    def __post_init__(self) -> None:
        self.path = os.path.realpath(self.root)
        machines = self.store.readable()
        self.imported = {origin.name: machine for machine in machines if (origin := self.origin_of(machine))}

    def origin_of(self, machine: Machine) -> Origin | None:
        origin = Origin.load(machine.origin)
        return origin if origin and origin.store == self.path else None

    def import_machine(self, name: str) -> ImportedMachine:
        if name in self.imported:
            return ImportedMachine(self.imported[name])
        new = self.converted(name)
        if self.dry_run:
            earlier = self.same_machine(new.machine)
        else:
            with self.store.writing(name, waiting(self.console, name)) as held:
                earlier = self.same_machine(new.machine)
                if earlier is None and (note := held.add(new.machine, new.files)):
                    self.console.note(note)
        if earlier:
            return ImportedMachine(earlier)
        if warning := unprotected(new.machine):
            new.remarks.append(Remark(warning))
        return ImportedMachine(new.machine, new=True, remarks=tuple(new.remarks))

    def same_machine(self, new: Machine) -> Machine | None:
        """Return an earlier import, or None for a free name. Raises MachineError for a taken one."""
        name = new.name
        taken = next((other for other in self.store.names() if other.lower() == name.lower()), "")
        if not taken:
            self.store.check_free(name)
            return None
        known = read_or_none(self.store.read, taken)
        # A copy of an imported store has the same machines.
        if known and taken == name and (self.origin_of(known) or known.url == new.url):
            return known
        raise MachineError(
            f'"{name}" is not taken over: there is another machine "{taken}" here',
            Hint("Give that one another name, and run this again", "machinectl rename", taken, "<NEW-NAME>"),
        )

    def converted(self, name: str) -> Conversion:
        new = converted_machine(self.root, name)
        machine = new.machine
        machine.origin["store"] = self.path
        machine.context = self.context
        if machine.driver == "generic":
            self.add_key(new)
        if machine.tls:
            new.remarks += self.add_certificates(machine, new.files)
        load(machine.driver).where(Instance(name, self.store.directory(name), machine.driver_state))
        return new

    def add_key(self, new: Conversion) -> None:
        name = new.machine.name
        path = key_path(self.root, name, new.key)
        if new.key or os.path.lexists(path):
            try:
                new.files[KEY_FILE] = read_ssh_key(self.root, path)
            except StoreError as exc:
                hint = Hint("Name the right one", "machinectl set --ssh-key <FILE>", name)
                new.remarks.append(Remark(exc.cause, hint))
        # Without one, the user's own keys open the host.
        if KEY_FILE not in new.files:
            state = json.loads(new.machine.driver_state)
            new.machine.driver_state = json.dumps({**state, "SSHKeyPath": ""})

    def add_certificates(self, machine: Machine, files: dict[str, bytes]) -> list[Remark]:
        """Add the machine's own; return remarks."""
        directory = StorePaths(self.root).directory(machine.name)
        if not any(os.path.lexists(os.path.join(directory, file)) for file in (CA, CERTIFICATE, KEY)):
            shared = shared_certificates(self.root)
            theirs = Hint("If its engine takes those of the store", "machinectl certs import", machine.name, shared)
            return [Remark("docker-machine has no certificates for it", theirs)]
        again = Hint("Import those of its engine", "machinectl certs import", machine.name, "<DIR>")
        if machine.driver == "generic":
            again |= Hint("or make new ones for both", "machinectl provision", machine.name)
        try:
            files |= read_certificates(directory)
        except MachineError as exc:
            return [Remark(f"its certificates are not taken over: {exc.cause}", again)]
        end = min(certs.describe(files[file]).not_after for file in (CA, CERTIFICATE))
        expired = Remark(f"its certificates expired on {end:%Y-%m-%d}", again)
        return [expired] if end < datetime.now(UTC) else []


def read_certificates(directory: str) -> dict[str, bytes]:
    """Return a client's files, and the server's if they have the same CA.

    Expired ones still identify the engine. The CA key is not copied: it opens all machines of that store.
    """
    names = (CA, CERTIFICATE, KEY, "server.pem", "server-key.pem")
    paths = [os.path.join(directory, name) for name in names]
    ca, certificate, key = map(read_regular_file, paths[:3])
    files = certs.client_bundle(ca, certificate, key, files=paths[:3], now=when_all_valid(ca, certificate))
    with suppress(MachineError):
        server, server_key = map(read_regular_file, paths[3:])
        files |= certs.server_bundle(ca, server, server_key, now=when_all_valid(ca, server))
    return files


def when_all_valid(*certificates: bytes) -> datetime:
    """Return a time when all were already valid."""
    return max(certificate.not_before for pem in certificates for certificate in certs.describe_all(pem))
