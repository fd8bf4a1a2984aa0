"""`import`: copy machines from a docker-machine store, which is only read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from machinectl import certs, engine
from machinectl.driver import Instance
from machinectl.driver.installed_drivers import load
from machinectl.engine import Endpoint
from machinectl.errors import MachineError, UsageError
from machinectl.files.atomic import StoreError, quote_path
from machinectl.files.fileset import read_regular_file
from machinectl.hosts.certificates.identity import CLIENT_FILES, SERVER_FILES
from machinectl.machines.docker_machine import old_store
from machinectl.machines.docker_machine.conversion import (
    KEY_FILE,
    Becoming,
    LeftOut,
    becoming,
    with_remarks,
    without_key,
)
from machinectl.machines.docker_machine.origin import Origin
from machinectl.machines.jump_order import keep_jump_hosts
from machinectl.machines.selection import waiting
from machinectl.machines.store.store_directory import sweep
from machinectl.machines.store.store_paths import into_own_store
from machinectl.machines.tls_warnings import unprotected
from machinectl.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from machinectl.console import Console
    from machinectl.engine import Probe
    from machinectl.machines.docker_machine.old_store import OldMachine
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

# States of an engine that does not answer.
OFF = frozenset({State.STOPPED, State.TIMEOUT})
# Seconds for the engine to accept certificates.
PATIENCE = 5.0


@dataclass(frozen=True)
class ImportedMachine:
    """Without `here`, `why_not` has the reason. `new` is False for an earlier import."""

    here: Machine | None
    new: bool = False
    why_not: str = ""
    remarks: tuple[str, ...] = ()


def import_(
    store: Store,
    console: Console,
    directory: str,
    *,
    context: bool = True,
    dry_run: bool = False,
    probe: Callable[[Endpoint, float], Probe] = engine.probe,
) -> Iterator[tuple[str, ImportedMachine | MachineError]]:
    """Import each machine completely or not at all. Existing machines stay unchanged."""
    root = os.path.abspath(os.path.expanduser(directory)) if directory else old_store.usual_root()
    check_separate_stores(store, root)
    if not dry_run:
        keep_jump_hosts(store, console)
    mover = Mover(store, console, root, probe, context=context, dry_run=dry_run)
    for name in old_store.old_machine_names(root):
        try:
            became: ImportedMachine | MachineError = mover.move(name)
        except MachineError as exc:
            became = exc
        yield name, became
    if not dry_run:
        sweep(store)


def check_separate_stores(store: Store, root: str) -> None:
    """Raise UsageError for one store inside the other."""
    theirs, ours = os.path.realpath(root), os.path.realpath(store.root)
    if old_store.is_store(root) and (ours == theirs or ours.startswith(f"{theirs}{os.sep}")):
        raise UsageError(
            f"{root} is docker-machine's store, and machinectl would keep its machines there, too; it needs a "
            "store of its own",
            f"Import them into it: {into_own_store(root)}",
        )


class Mover:
    def __init__(
        self,
        store: Store,
        console: Console,
        root: str,
        probe: Callable[[Endpoint, float], Probe],
        *,
        context: bool,
        dry_run: bool,
    ) -> None:
        self.store = store
        self.console = console
        self.root = root
        self.probe = probe
        self.context = context
        self.dry_run = dry_run
        self.path = os.path.realpath(root)
        # The machines that a dry run has imported so far.
        self.foretold: list[str] = []
        machines = list(readable_machines(store))
        self.here = {origin.name: machine for machine in machines if (origin := self.origin_of(machine))}
        # Names by engine URL.
        self.at = {machine.url: machine.name for machine in machines}

    def origin_of(self, machine: Machine) -> Origin | None:
        origin = Origin.load(machine.origin)
        return origin if origin and origin.store == self.path else None

    def move(self, name: str) -> ImportedMachine:
        if name in self.here:
            return self.again(name)
        old = old_store.read_old_machine(self.root, name)
        try:
            new, files = self.made(old)
        except LeftOut as exc:
            return ImportedMachine(None, why_not=exc.cause)
        if self.dry_run:
            there = self.in_its_place(new.machine)
            self.foretold.append(name)
        else:
            with self.store.writing(name, waiting(self.console, name)) as held:
                there = self.in_its_place(new.machine)
                if there is None:
                    held.add(new.machine, files)
        if there:
            return ImportedMachine(there)
        plain = unprotected(new.machine)
        remarks = (*new.remarks, *([plain] if plain else []), *self.same_host(new.machine))
        return ImportedMachine(new.machine, new=True, remarks=remarks)

    def again(self, name: str) -> ImportedMachine:
        """Add certificates that an earlier import could not find."""
        machine = self.here[name]
        if machine.driver != "none" or not machine.tls or os.path.lexists(os.path.join(machine.directory, "ca.pem")):
            return ImportedMachine(machine)
        try:
            old = old_store.read_old_machine(self.root, name)
        except MachineError:
            return ImportedMachine(machine)
        found, files = self.with_certificates(old, Becoming(machine))
        if files and not self.dry_run:
            with self.store.writing(machine.name, waiting(self.console, machine.name)) as held:
                held.write_files(files, force=False)
        return ImportedMachine(machine, remarks=("it has its certificates now",) if files else found.remarks)

    def in_its_place(self, new: Machine) -> Machine | None:
        """Return the same machine, or None for a free name. Raises MachineError for a taken one."""
        name = new.name
        taken = next((other for other in [*self.store.names(), *self.foretold] if other.lower() == name.lower()), "")
        if not taken:
            self.store.check_free(name)
            return None
        try:
            there = self.store.read(taken)
        except MachineError:
            there = None
        # A copy of an imported store has the same machines.
        if there and taken == name and (self.origin_of(there) or there.url == new.url):
            return there
        raise MachineError(
            f'"{name}" is not taken over: there is another machine "{taken}" here',
            f"Give that one another name, and run this again: machinectl rename {taken} <NEW-NAME>",
        )

    def same_host(self, new: Machine) -> Iterator[str]:
        """Yield a remark if two machines share an engine: only one can set it up."""
        other = self.at.setdefault(new.url, new.name)
        if other != new.name:
            yield f'"{other}" is the same host, at {new.url}; where one name will do: machinectl rm {new.name}'

    def made(self, old: OldMachine) -> tuple[Becoming, dict[str, bytes]]:
        """Raise LeftOut, or MachineError for a broken record."""
        try:
            new = becoming(old, Origin(self.path, old.name, old.driver))
        except UsageError as exc:
            raise old_store.broken_config(old.name, f"says no address that can be used: {exc.cause}") from exc
        new.machine.context = self.context
        files: dict[str, bytes] = {}
        if new.machine.driver == "generic":
            new, files = self.with_key(old, new)
        if new.machine.tls:
            new, certificates = self.with_certificates(old, new)
            files |= certificates
        where = load(new.machine.driver).where
        where(Instance(old.name, self.store.directory(old.name), new.machine.driver_state))
        return new, files

    def with_key(self, old: OldMachine, new: Becoming) -> tuple[Becoming, dict[str, bytes]]:
        """Raise LeftOut if a required key is missing."""
        try:
            found = old_store.old_ssh_key(self.root, old)
        except StoreError as exc:
            if old.driver != "generic":
                directory = old_store.directory_of(self.root, old.name)
                raise LeftOut(
                    f"{exc.cause}. Without SSH, only its engine can be registered: machinectl create -d none "
                    f"--url {new.machine.url} --tls-dir {quote_path(directory)} {old.name}"
                ) from exc
            say_it = f"machinectl set --generic-ssh-key <FILE> {old.name}"
            return with_remarks(without_key(new), f"{exc.cause}; name the right one: {say_it}"), {}
        if not found:
            return without_key(new), {}
        path = old_store.key_path(self.root, old)
        if not path.startswith(os.path.join(self.root, "")):
            new = with_remarks(new, f"its SSH key is your own {path}: the store now holds a copy")
        return new, {f"{KEY_FILE}{end}": data for end, data in found.items()}

    def with_certificates(self, old: OldMachine, new: Becoming) -> tuple[Becoming, dict[str, bytes]]:
        """Use the machine's own, or the store's if the engine accepts them."""
        name = old.name
        directory = old_store.directory_of(self.root, name)
        if any(os.path.lexists(os.path.join(directory, file)) for file in CLIENT_FILES):
            try:
                files = read_certificates(directory)
            except MachineError as exc:
                cause = f"its certificates are not taken over: {exc.cause}"
                return with_remarks(new, f"{cause}; {how_to_get_certificates(new.machine)}"), {}
            return with_remarks(new, *expiry_remarks(files, new.machine)), files
        shared = old_store.shared_certificates(self.root)
        try:
            files = read_certificates(shared)
        except MachineError:
            why = "there are none for it"
        else:
            with self.console.step(f"Asking the engine at {new.machine.url} whether it takes those in {shared}"):
                found = self.probe(Endpoint(new.machine.url, tls=True, cert_dir=shared, name=name), PATIENCE)
            if found.state is State.RUNNING:
                return new, files
            why = f"those in {shared} do not open its engine ({found.error})"
            if found.state in OFF:
                again = f"machinectl import --from-docker-machine {quote_path(self.root)}"
                why += f"; if it is off, start it and run this again: {again}"
                return with_remarks(new, f"it has no certificates here: {why}"), {}
        return with_remarks(new, f"it has no certificates here: {why}; {how_to_get_certificates(new.machine)}"), {}


def readable_machines(store: Store) -> Iterator[Machine]:
    for name in store.names():
        try:
            yield store.read(name)
        except MachineError:
            continue


def how_to_get_certificates(machine: Machine) -> str:
    given = f"give it those that open it: machinectl certs import {machine.name} <DIR>"
    return given if machine.driver == "none" else f"{given}; or new ones, and its host too: {renewal(machine)}"


def renewal(machine: Machine) -> str:
    return f"machinectl provision {machine.name}"


def read_certificates(directory: str) -> dict[str, bytes]:
    """Return a client's files, and the server's if they have the same CA.

    Expired ones still identify the engine. The CA key is not copied: it opens all machines of that store.
    """
    ca, certificate, key = (read_regular_file(os.path.join(directory, file)) for file in CLIENT_FILES)
    names = dict(zip(("ca_file", "cert_file", "key_file"), joined_paths(directory, CLIENT_FILES), strict=True))
    files = certs.client_bundle(ca, certificate, key, **names, now=when_all_valid(ca, certificate))
    try:
        server, server_key = (read_regular_file(path) for path in joined_paths(directory, SERVER_FILES))
        files |= certs.server_bundle(ca, server, server_key, now=when_all_valid(ca, server))
    except MachineError:
        return files
    return files


def joined_paths(directory: str, files: Iterable[str]) -> list[str]:
    return [os.path.join(directory, file) for file in files]


def when_all_valid(*certificates: bytes) -> datetime:
    """Return a time when all were already valid."""
    return max(each.not_before for pem in certificates for each in certs.describe_all(pem))


def expiry_remarks(files: Mapping[str, bytes], machine: Machine) -> Iterator[str]:
    now = datetime.now(UTC)
    for file in sorted(files):
        if file.endswith("key.pem"):
            continue
        until = certs.describe(files[file]).not_after
        if until < now:
            what = renewal(machine) if machine.driver == "generic" else f"machinectl certs import {machine.name} <DIR>"
            yield f"its {file} expired on {until:%Y-%m-%d}; have new ones: {what}"
            return
