"""Being the only one that brings machines to what a file says: what is to be done is known from their records."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from machinectl.files.atomic import read_file
from machinectl.machines.selection import LOCK_PAUSE
from machinectl.machines.store.lock import Lock
from machinectl.machines.store.store_directory import make_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from machinectl.console import Console
    from machinectl.machines.store import Store

# Among the locks of machines, none of which is called so.
LOCK = ".apply"
PID_DIGITS = 20


@contextmanager
def alone(store: Store, console: Console) -> Iterator[None]:
    """Be the only `apply` that is at work on a store; another one is waited for, and told of."""
    make_directory(store, store.locks)
    path = os.path.join(store.locks, LOCK)
    lock = Lock(path, waiting_for_another(console, path))
    with lock:
        # A disk that is full keeps nobody from being alone.
        with suppress(OSError):
            os.ftruncate(lock.descriptor, 0)
            os.pwrite(lock.descriptor, str(os.getpid()).encode(), 0)
        yield


def waiting_for_another(console: Console, path: str) -> Callable[[], None]:
    """What to do while another one is at work: say which process that is, once, and wait."""
    said = False

    def wait() -> None:
        nonlocal said
        if not said:
            console.note(f"Waiting for another apply{process(path)} …")
            said = True
        console.pause(LOCK_PAUSE)

    return wait


def process(path: str) -> str:
    """Which process holds a lock, as far as its file tells."""
    try:
        number = read_file(path, PID_DIGITS).decode()
    except (OSError, ValueError):
        return ""
    return f" (process {number})" if number.isascii() and number.isdigit() else ""
