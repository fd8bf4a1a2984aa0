"""Check this computer: store, docker CLI, shell, and machinectl."""

from __future__ import annotations

import os
import shutil
import sysconfig
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from machinectl.check import SHELL, Check, broken, failed, ok, unknown, value_or
from machinectl.doctor import docker_client, store_files
from machinectl.errors import NO_HINT, Hint, MachineError
from machinectl.features import functions
from machinectl.files.atomic import quote_word
from machinectl.files.ownership import exposed
from machinectl.machines.record import Machine, Phase, waits_for_access
from machinectl.machines.store import docker_machine
from machinectl.machines.store.store_directory import has_own_directory, is_another_users, owning_user
from machinectl.quantities import first_names, plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.check import Seat
    from machinectl.machines.store import Store

STORE, RECORDS, REMOVED, DOCKER_MACHINE = "Store", "Records", "Removed", "docker-machine"
PROGRAM = "machinectl"
# KiB, to write records and certificates.
ROOM = 1 << 10
OTHER_STORE = Hint("or choose another store", "machinectl --storage-path <DIR> ls")
ELF = b"\x7fELF"


def check_computer(store: Store, names: Sequence[str], seat: Seat, *, alone: bool) -> Iterator[Check]:
    """Check without asking hosts; check the store only without `names`. Never raises MachineError.

    `alone`: no machine is checked, so that the machines' files are.
    """
    if os.path.isdir(store.root) and is_another_users(store.root) and os.geteuid() == 0:
        seen = f"{store.root} belongs to another user: to change it, run machinectl as that user"
        yield unknown(STORE, seen, Hint("Run as that user", f"sudo -u {owning_user(store.root)} machinectl doctor"))
    elif not names:
        yield from store_checks(store, alone=alone)
    path = seat.environment.get("PATH", os.defpath)
    yield docker_client.cli_check(path)
    # Another check reports a store that cannot be read.
    every = value_or(list[str](), store.names)
    # `create` makes the docker context at its end.
    complete = [each for each in readable_machines(store, names or every) if each.phase == Phase.READY or each.changes]
    features = [check for checks in functions("computer_checks") for check in checks(store, complete, seat)]
    yield from features
    if SHELL not in {check.title for check in features}:
        in_use = readable_machines(store, every) if seat.environment.get("DOCKER_HOST") else []
        yield from docker_client.shell_checks(seat.environment, in_use)
    yield program_check(path, seat.program)


def store_checks(store: Store, *, alone: bool = True) -> Iterator[Check]:
    yield directory_check(store)
    if os.path.isdir(store.root):
        yield from content_checks(store, alone=alone)
    yield from docker_machine_check(store)


def content_checks(store: Store, *, alone: bool) -> Iterator[Check]:
    """Check machines' files only if `alone`: the check of a machine says what is wrong with its own."""
    machines: list[Machine] = []
    records: list[Check] = []
    try:
        records = list(record_checks(store, machines))
    except MachineError as exc:
        yield failed(RECORDS, exc)
    if alone:
        yield from records
        yield from certificate_checks(store, machines)
    yield from removed_check(store)


def readable_machines(store: Store, names: Sequence[str]) -> list[Machine]:
    return [machine for name in names if (machine := store.read_or_none(name))]


def directory_check(store: Store) -> Check:
    root = store.root
    if not os.path.lexists(root):
        return ok(STORE, f"{root} does not exist yet (no machines)")
    if not os.path.isdir(root):
        return broken(STORE, f"{root} is not a directory", Hint("See", "ls -ld", root) | OTHER_STORE)
    try:
        inside = [path for path in (store.machines, store.locks) if os.path.isdir(path)]
        apart = [[root, *inside]] if has_own_directory(store) else [[path] for path in inside]
        looked = [store_files.privacy_check(paths[0], list(map(store_files.entry_of, paths))) for paths in apart]
        replaceable = exposed(root)
        left = shutil.disk_usage(root).free >> 10
    except OSError as exc:
        return broken(STORE, f"{exc.filename} cannot be read: {exc.strerror}", Hint("See", "ls -ld", root))
    for private in looked:
        if private.hint:
            return broken(STORE, private.seen, private.hint)
    if replaceable:
        return broken(STORE, f"{replaceable.path}: {replaceable.why}", replaceable.hint() | OTHER_STORE)
    if not all(os.access(path, os.R_OK | os.W_OK | os.X_OK) for path in (root, *inside)):
        return broken(STORE, f"you cannot write to {root}", Hint("See", "ls -ld", root))
    if left < ROOM:
        return broken(STORE, f"the disk of {root} is full: {left} KB left", Hint("Make room", "df -h", root))
    return ok(STORE, f"only you can write to {root}")


def record_checks(store: Store, machines: list[Machine]) -> Iterator[Check]:
    wrong, theirs = [], []
    for name in store.names():
        if store.is_docker_machines(name):
            theirs.append(name)
            continue
        try:
            machine = store.read(name)
        except MachineError as exc:
            wrong.append(failed(RECORDS, exc))
            continue
        machines.append(machine)
        if machine.phase != Phase.READY or machine.pending:
            found = store_files.record_check(store, machine)
            wrong.append(replace(found, title=RECORDS, seen=f'"{name}": {found.seen}'))
        modes = store_files.modes_check(machine.directory)
        if modes.hint:
            wrong.append(replace(modes, title=RECORDS, seen=f'"{name}": {modes.seen}'))
    count = plural(len(machines), "machine")
    yield from wrong or [ok(RECORDS, f"{count}, all complete and private")]
    if theirs:
        yield unknown(
            RECORDS,
            f"{', '.join(theirs)}: belong to docker-machine; machinectl does not change them",
            docker_machine.into_own_store(store.root),
        )


def certificate_checks(store: Store, machines: list[Machine]) -> Iterator[Check]:
    now = datetime.now(UTC)
    # A machine that waits for access has only its key.
    tls = [machine for machine in machines if machine.tls and not waits_for_access(machine)]
    found = [(machine.name, store_files.certificates_check(store, machine, now)) for machine in tls]
    found += [(machine.name, check) for machine in tls if (check := store_files.tool_certificates_check(machine, now))]
    # Machines with the same problem share a check.
    alike: dict[Check, list[str]] = {}
    for name, check in found:
        if check.hint:
            alike.setdefault(check, []).append(f'"{name}"')
    yield from (replace(check, seen=f"{first_names(names)}: {check.seen}") for check, names in alike.items())
    if not alike:
        some = f"{plural(len(tls), 'machine')}: valid for a month or more"
        yield ok(store_files.CERTIFICATES, some if tls else "no machine uses any")


def removed_check(store: Store) -> Iterator[Check]:
    from machinectl.hosts.host_owner import is_engine_alone

    machines = store.removed.readable()
    if machines:
        names = [machine.name for machine in machines]
        # Earlier versions left a name to both a new machine and a record.
        put_back = Hint("Another machine has the name", "machinectl rename", names[0], "<NEW-NAME>")
        if alone := next((machine for machine in machines if not store.exists(machine.name)), None):
            purge = "--purge-engine" if is_engine_alone(alone) else "--purge"
            put_back = Hint("Undo the changes", "machinectl rm", purge, alone.name)
            put_back |= Hint("or forget it", "machinectl rm --forget", alone.name)
        yield unknown(REMOVED, f"{', '.join(names)}: removed here, but the changes on the host remain", put_back)


def docker_machine_check(store: Store) -> Iterator[Check]:
    theirs = docker_machine.default_root()
    if os.path.abspath(theirs) == store.root:
        return
    imported = value_or(list[str](), store.names)
    names = [name for name in docker_machine.old_machines(theirs) if name not in imported]
    if names:
        count = f"{theirs} has {plural(len(names), 'machine')} that docker-machine created"
        again = Hint("Import them; the old store does not change", "machinectl import --from-docker-machine")
        yield unknown(DOCKER_MACHINE, count, again)


def program_check(path: str, program: str) -> Check:
    """Find machinectl on the PATH: systemd has one, too."""
    first = shutil.which(PROGRAM, path=path)
    if first and not is_systemds(first):
        return ok(PROGRAM, f"{first} comes first on the PATH")
    own = [os.path.abspath(program), os.path.join(sysconfig.get_path("scripts"), PROGRAM)]
    mine = next((file for file in own if os.path.basename(file) == PROGRAM and os.path.isfile(file)), "")
    hint = Hint("Put this one first", f"export PATH={quote_word(os.path.dirname(mine))}:$PATH") if mine else NO_HINT
    if first:
        return broken(PROGRAM, f"{first}, which is systemd's, comes first on the PATH", hint)
    return unknown(PROGRAM, "not on the PATH", hint)


def is_systemds(program: str) -> bool:
    """Return whether it is an ELF file; ours is a script."""
    try:
        with open(program, "rb") as file:
            if file.read(len(ELF)) != ELF:
                return False
    except OSError:
        return False
    return docker_client.first_line([program, "--version"]).startswith("systemd ")
