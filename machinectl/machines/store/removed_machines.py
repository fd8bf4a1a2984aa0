"""Removed machines whose hosts keep changes: STORE/removed/NAME can undo them."""

from __future__ import annotations

import itertools
import os

from machinectl.files.atomic import Translated, read_file, remove_tree, replace_file, sync_path
from machinectl.machines import record
from machinectl.machines.store.store_paths import HELD, LONGEST_RECORD, RECORD, StorePaths


def removed_machines(store: StorePaths) -> list[record.Machine]:
    """Return those with readable records, in natural order."""
    try:
        names = sorted(filter(record.is_name, os.listdir(store.removed)), key=record.natural)
    except OSError:
        return []
    found = []
    for name in names:
        directory = os.path.join(store.removed, name)
        try:
            text = read_file(os.path.join(directory, RECORD), LONGEST_RECORD)
            found.append(record.parse_record(name, text, directory))
        except (OSError, record.BrokenRecord):
            continue
    return found


def is_known(store: StorePaths, name: str) -> bool:
    return store.exists(name) or any(machine.name == name for machine in removed_machines(store))


def write_removed(store: StorePaths, machine: record.Machine) -> None:
    """Replace the record; the name must be locked."""
    if store.lock_path(machine.name) not in HELD:
        raise RuntimeError(f"{machine.name} is not held")
    replace_file(os.path.join(store.removed, machine.name, RECORD), machine.dump())


def forget_removed(store: StorePaths, name: str) -> None:
    # Imported late: machinectl.machines only reads the store.
    from machinectl.machines.store.store_directory import make_directory

    make_directory(store, store.staging)
    leaving = os.path.join(store.staging, f"{name}.removed")
    remove_tree(leaving)
    with Translated(leaving):
        os.rename(os.path.join(store.removed, name), leaving)
        sync_path(store.removed)
    remove_tree(leaving)


def free_removed_path(store: StorePaths, name: str) -> str:
    """Return where to keep a removed machine: under its name, or NAME-2, … if a machine or another record has that."""
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    live = {other.lower() for other in store.names()} - {name.lower()}
    free = (each for each in names if each.lower() not in live)
    return next(path for each in free if not os.path.lexists(path := os.path.join(store.removed, each)))


def free_name_of_removed(store: StorePaths, name: str) -> str:
    """Give a removed machine another name before a new one takes it: commands by that name act on the new one.

    Return what to tell the user, "" for a free name.
    """
    path = os.path.join(store.removed, name)
    if not os.path.isdir(path):
        return ""
    free = free_removed_path(store, name)
    with Translated(path):
        os.rename(path, free)
        sync_path(store.removed)
    return f'The removed machine "{name}" is kept as "{os.path.basename(free)}" now'
