"""Read a machine's files as one set, also in another user's store."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.files.fileset import has_unplaced_files
from machinectl.machines.store.lock import shared_lock
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
                f"Finish that as its owner: sudo -u {owning_user(store.root)} machinectl provision {name}",
            )
        yield
