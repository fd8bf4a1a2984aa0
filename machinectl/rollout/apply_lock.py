"""Let only one `apply` run: its plan depends on the records."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from machinectl.files.atomic import read_file
from machinectl.machines.selection import waiting_with_note
from machinectl.machines.store.lock import Lock
from machinectl.machines.store.store_directory import make_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.console import Console
    from machinectl.machines.store import Store

# No machine can have this name.
LOCK = ".apply"
PID_DIGITS = 20


@contextmanager
def apply_locked(store: Store, console: Console) -> Iterator[None]:
    """Hold the `apply` lock, or say who does and wait."""
    make_directory(store, store.locks)
    path = os.path.join(store.locks, LOCK)
    lock = Lock(path, waiting_with_note(console, lambda: f"Waiting for another apply{lock_holder(path)} …"))
    with lock:
        # A full disk must not break the lock.
        with suppress(OSError):
            os.ftruncate(lock.descriptor, 0)
            os.pwrite(lock.descriptor, str(os.getpid()).encode(), 0)
        yield


def lock_holder(path: str) -> str:
    try:
        number = read_file(path, PID_DIGITS).decode()
    except (OSError, ValueError):
        return ""
    return f" (process {number})" if number.isascii() and number.isdigit() else ""
