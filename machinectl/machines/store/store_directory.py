"""Create, protect and clean up the store's directories."""

from __future__ import annotations

import itertools
import os
import stat
from typing import TYPE_CHECKING

from machinectl.errors import Hint
from machinectl.files.atomic import (
    StoreError,
    Translated,
    make_directories,
    remove_tree,
    sync_path,
)
from machinectl.files.ownership import FOREIGN, Exposed, exposed_above, other_writer
from machinectl.machines.store.store_paths import Lock

if TYPE_CHECKING:
    from machinectl.machines.store.store_paths import StorePaths

# A store's entries.
ENTRIES = {"locks", "staging", "machines", "removed", "ssh_config", ".ssh_config.tmp"}


def make_directory(store: StorePaths, path: str) -> None:
    """Create both with mode 0700. Raises StoreError if others could write there."""
    with Translated(path):
        check_unexposed(store)
        for directory in (store.root, path):
            make_directories(directory)
            keep_private(store, directory)


def check_store_writable(store: StorePaths) -> None:
    """Raise StoreError where a write to the store would."""
    with Translated(store.root):
        check_unexposed(store)
        if os.path.isdir(store.root):
            check_own(store.root)


def check_unexposed(store: StorePaths) -> None:
    """Raise StoreError if another user could replace the store."""
    if exposed := exposed_above(store.root):
        raise unsafe(exposed)


def keep_private(store: StorePaths, directory: str) -> None:
    """Make it private. Raises StoreError if others may write to it, or own it."""
    if os.name == "nt":
        return
    check_own(directory)
    mode = stat.S_IMODE(os.stat(directory).st_mode)
    if mode & 0o077 and (directory != store.root or has_own_directory(store)):
        with Translated(directory):
            os.chmod(directory, mode & ~0o077)
        store.warn(f"Closed {directory} to other users: its mode was {mode:o} and is {mode & ~0o077:o} now")


def check_own(directory: str) -> None:
    """Raise StoreError for a directory that another user owns or may write to, also for root.

    That user's links would lead root to any directory of the system, and could be made at any moment.
    """
    if os.name == "nt":
        return
    if is_another_users(directory):
        raise unsafe(Exposed(directory, FOREIGN))
    if why := other_writer(directory):
        raise unsafe(Exposed(directory, why))


def is_another_users(directory: str) -> bool:
    if os.name == "nt":
        return False
    user = os.geteuid()
    # Root may have put a link in place of a user's directory.
    return os.stat(directory).st_uid != user or os.lstat(directory).st_uid not in {0, user}


def has_own_directory(store: StorePaths) -> bool:
    """Return whether only the store is in it: other files must stay accessible."""
    return set(os.listdir(store.root)) <= ENTRIES


def unsafe(exposed: Exposed) -> StoreError:
    hint = exposed.hint()
    if exposed.why == FOREIGN and os.geteuid() == 0:
        hint = Hint("Run this as its owner", f"sudo -u {owning_user(exposed.path)}")
    other = Hint("or choose another store", "machinectl --storage-path <DIR> ls")
    return StoreError(f"{exposed.path} is not safe for keys: {exposed.why}", hint | other)


def owning_user(path: str) -> str:
    """Return the owner's ID as sudo takes it."""
    # Root may have put a link in place of a user's directory.
    return f"'#{os.stat(path).st_uid or os.lstat(path).st_uid}'"


def sweep(store: StorePaths) -> None:
    """Delete leftovers in staging, except for locked machines."""
    try:
        for directory in (store.root, store.locks, store.staging):
            check_own(directory)
        left = os.listdir(store.staging)
    except (OSError, StoreError):
        return
    for name in left:
        try:
            lock = Lock(store.lock_path(name))
            if lock.acquire(wait=False):
                remove_tree(os.path.join(store.staging, name))
                lock.release()
        except StoreError:
            continue


def remove_directory(store: StorePaths, directory: str) -> None:
    """Remove a machine's files; the name must be locked."""
    make_directory(store, store.staging)
    leaving = os.path.join(store.staging, f"{os.path.basename(directory)}.removed")
    remove_tree(leaving)
    with Translated(directory):
        os.rename(directory, leaving)
        sync_path(os.path.dirname(directory))
    remove_tree(leaving)


def free_removed_path(store: StorePaths, name: str) -> str:
    """Return where to keep a removed machine: under its name, or NAME-2, … if a machine or another record has that."""
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    live = {other.lower() for other in store.names()} - {name.lower()}
    free = (each for each in names if each.lower() not in live)
    return next(path for each in free if not os.path.lexists(path := os.path.join(store.removed.machines, each)))


def free_name_of_removed(store: StorePaths, name: str) -> str:
    """Give a removed machine another name before a new one takes it: commands by that name act on the new one.

    Return what to tell the user, "" for a free name.
    """
    path = os.path.join(store.removed.machines, name)
    if not os.path.isdir(path):
        return ""
    free = free_removed_path(store, name)
    with Translated(path):
        os.rename(path, free)
        sync_path(store.removed.machines)
    return f'The removed machine "{name}" is kept as "{os.path.basename(free)}" now'
