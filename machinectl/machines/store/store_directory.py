"""Create, protect and clean up the store's directories."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from machinectl.files.atomic import StoreError, Translated, make_directories, remove_tree
from machinectl.files.ownership import FOREIGN, Exposed, exposed_above, other_writer
from machinectl.machines.store.lock import Lock

if TYPE_CHECKING:
    from machinectl.machines.store.store_paths import StorePaths

# A store's entries.
ENTRIES = {"locks", "staging", "machines", "removed", "ssh_config", ".ssh_config.tmp"}


def make_directory(store: StorePaths, path: str) -> None:
    """Create both with mode 0700. Raises StoreError if others could write there."""
    with Translated(path):
        if exposed := exposed_above(store.root):
            raise unsafe(exposed)
        make_directories(store.root)
        make_directories(path)
        for directory in (store.root, path):
            keep_private(store, directory)


def keep_private(store: StorePaths, directory: str) -> None:
    """Make it private. Raises StoreError if others may write to it, or own it and the user is not root."""
    found = os.stat(directory)
    if os.name == "nt":
        return
    if os.geteuid() not in {0, found.st_uid}:
        raise unsafe(Exposed(directory, FOREIGN))
    if why := other_writer(directory, found):
        raise unsafe(Exposed(directory, why))
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077 and (directory != store.root or has_own_directory(store)):
        with Translated(directory):
            os.chmod(directory, mode & ~0o077)
        store.warn(f"Closed {directory} to other users: its mode was {mode:o} and is {mode & ~0o077:o} now")


def has_own_directory(store: StorePaths) -> bool:
    """Return whether only the store is in it: other files must stay accessible."""
    return set(os.listdir(store.root)) <= ENTRIES


def unsafe(exposed: Exposed) -> StoreError:
    return StoreError(
        f"{exposed.path} is not safe for keys: {exposed.why}",
        exposed.hint("choose another store: machinectl --storage-path <DIR> ls"),
    )


def sweep(store: StorePaths) -> None:
    """Delete leftovers in staging, except for locked machines."""
    try:
        left = os.listdir(store.staging)
    except OSError:
        return
    for name in left:
        try:
            lock = Lock(store.lock_path(name))
            if lock.acquire(wait=False):
                remove_tree(os.path.join(store.staging, name))
                lock.release()
        except StoreError:
            continue
