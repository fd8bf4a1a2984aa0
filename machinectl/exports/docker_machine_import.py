"""Copy machines from docker-machine's store, which is only read, into ours."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.driver import Instance
from machinectl.driver.installed_drivers import load
from machinectl.errors import Hint, MachineError
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
from machinectl.files.fileset import read_regular_file
from machinectl.hosts.identity import CLIENT_FILES
from machinectl.machines.config_json import Origin
from machinectl.machines.selection import waiting
from machinectl.machines.store import Store
from machinectl.machines.store.docker_machine import check_apart, shared_certificates
from machinectl.machines.store.store_directory import sweep
from machinectl.machines.tls_warnings import unprotected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from machinectl.console import Console
    from machinectl.machines.record import Machine


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
    names = old_machine_names(root)
    check_apart(store.root)

    def one(name: str) -> ImportedMachine:
        if earlier := earlier_import(store, root, name):
            return ImportedMachine(earlier)
        new = converted(store, root, name)
        new.machine.context = context
        known = store.read_or_none(name)
        # A copy of an imported store has the same machines.
        if known and known.url == new.machine.url:
            return ImportedMachine(known)
        add_imported(store, console, new.machine, new.files, dry_run=dry_run)
        return ImportedMachine(new.machine, new=True, remarks=tuple(new.remarks))

    yield from import_each(store, {name: partial(one, name) for name in names}, dry_run=dry_run)


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


def add_imported(
    store: Store, console: Console, machine: Machine, files: Mapping[str, bytes], *, dry_run: bool
) -> None:
    """Add a machine with its files, atomically. Raises MachineError if its name is taken."""
    name = machine.name
    if taken := next((other for other in store.names() if other.lower() == name.lower()), ""):
        raise MachineError(
            f'"{name}" is not imported: there is another machine "{taken}" here',
            Hint("Give that one another name", "machinectl rename", taken, "<NEW-NAME>")
            | Hint("or forget it", "machinectl rm", taken),
        )
    store.check_free(name)
    if dry_run:
        return
    with store.writing(name, waiting(console, name)) as held:
        # Another process may have added it meanwhile.
        store.check_free(name)
        if note := held.add(machine, files):
            console.note(note)


def earlier_import(store: Store, root: str, name: str) -> Machine | None:
    """Return the machine that was imported from there, maybe under another name by now."""
    path = os.path.realpath(root)
    for machine in store.readable():
        origin = Origin.load(machine.origin)
        if origin and (origin.store, origin.name) == (path, name):
            return machine
    return None


def converted(store: Store, root: str, name: str) -> Conversion:
    new = converted_machine(root, name)
    machine = new.machine
    if machine.driver == "generic":
        add_key(root, new)
    if machine.tls:
        new.remarks += add_certificates(root, machine, new.files)
    if warning := unprotected(machine):
        new.remarks.append(Remark(warning))
    load(machine.driver).where(Instance(name, store.directory(name), machine.driver_state))
    return new


def add_key(root: str, new: Conversion) -> None:
    name = new.machine.name
    path = key_path(root, name, new.key)
    if key := read_ssh_key(path):
        new.files[KEY_FILE] = key
        return
    if new.key or os.path.lexists(path):
        hint = Hint("Name the right one", "machinectl set --ssh-key <FILE>", name)
        new.remarks.append(Remark(f"its SSH key {path} cannot be used", hint))
    # Without one, the user's own keys open the host.
    state = json.loads(new.machine.driver_state)
    new.machine.driver_state = json.dumps({**state, "SSHKeyPath": ""})


def add_certificates(root: str, machine: Machine, files: dict[str, bytes]) -> list[Remark]:
    """Add the machine's own; return remarks."""
    directory = Store(root).directory(machine.name)
    if not any(os.path.lexists(os.path.join(directory, file)) for file in CLIENT_FILES):
        shared = shared_certificates(root)
        theirs = Hint("If its engine takes those of the store", "machinectl certs import", machine.name, shared)
        return [Remark("docker-machine has no certificates for it", theirs)]
    try:
        files |= read_certificates(directory)
    except MachineError as exc:
        again = Hint("Import those of its engine", "machinectl certs import", machine.name, "<DIR>")
        if machine.driver == "generic":
            again |= Hint("or make new ones for both", "machinectl provision", machine.name)
        return [Remark(f"its certificates are not imported: {exc.cause}", again)]
    return []


def read_certificates(directory: str) -> dict[str, bytes]:
    """Return a client's files, and the server's if they have the same CA.

    Expired ones still identify the engine. The CA key is not copied: it opens all machines of that store.
    """
    names = (*CLIENT_FILES, "server.pem", "server-key.pem")
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
