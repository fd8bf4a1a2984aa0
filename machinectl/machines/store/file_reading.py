"""Read a machine's files as one set, also in another user's store."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from machinectl.errors import Hint, MachineError
from machinectl.files.atomic import Translated, open_without_waiting
from machinectl.files.fileset import has_unplaced_files
from machinectl.machines.store.lock import share
from machinectl.machines.store.store_directory import is_another_users, owning_user

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from machinectl.machines.store.machine_store import Store


@contextmanager
def reading_files(store: Store, name: str, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Keep a machine's files whole while they are read: writers wait, and what a killed one left is put into place.

    Writes nothing to another user's store, such as in a backup by root. Raises MachineError if it would have to.
    """
    if not is_another_users(store.root):
        with store.writing(name, waiting) as held:
            held.finish_files()
            yield
        return
    with shared_lock(store.lock_path(name), waiting):
        if has_unplaced_files(store.directory(name)):
            raise MachineError(
                f'The files of "{name}" are not all in place: a run of machinectl was killed',
                Hint("Finish that as its owner", f"sudo -u {owning_user(store.root)} machinectl provision {name}"),
            )
        yield


@contextmanager
def shared_lock(path: str, waiting: Callable[[], None] | None) -> Iterator[None]:
    """Keep writers out without writing. Nobody has ever locked a missing file."""
    if not os.path.lexists(path):
        yield
        return
    with Translated(path):
        descriptor = open_without_waiting(path, os.O_RDONLY)
    try:
        while not share(descriptor, wait=waiting is None):
            if waiting:
                waiting()
        yield
    finally:
        os.close(descriptor)
