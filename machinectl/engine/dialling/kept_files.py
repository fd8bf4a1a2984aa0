"""Files of kept SSH connections: a lock for each, and the removal of what ended ones left. See `ssh_socket`."""

from __future__ import annotations

import os
import re
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from machinectl.files.atomic import PRIVATE_FILE, take_lock
from machinectl.files.user_directories import DIGEST_LETTERS, remove_dead_socket

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.engine.endpoint import Deadline

# Beside the socket of the background ssh: the lock, and the socket that leads to the engine.
LOCK, ENGINE = ".lock", ".engine"
OURS = re.compile(rf"([0-9a-f]{{{DIGEST_LETTERS}}})(?:{re.escape(LOCK)}|{re.escape(ENGINE)})?")
# Seconds between attempts while another process logs in.
PAUSE = 0.02


@contextmanager
def locked(control: str, deadline: Deadline) -> Iterator[None]:
    """Let one process or thread log in. Raises TimeoutError."""
    while (descriptor := open_lock(control)) is None:
        deadline.remaining()
        time.sleep(PAUSE)
    try:
        yield
    finally:
        os.close(descriptor)


def open_lock(control: str) -> int | None:
    """Return a descriptor that holds the lock, None if another process or thread has it, or has just removed it."""
    path = f"{control}{LOCK}"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
    with suppress(FileNotFoundError):
        is_locked = take_lock(descriptor, without_locks=True)
        if is_locked and os.path.samestat(os.fstat(descriptor), os.stat(path)):
            return descriptor
    os.close(descriptor)
    return None


def sweep_ended(directory: str) -> None:
    """Remove the files of connections that have ended, except of those that are being made."""
    with suppress(OSError):
        for control in {found[1] for name in os.listdir(directory) if (found := OURS.fullmatch(name))}:
            remove_ended(os.path.join(directory, control))


def remove_ended(control: str) -> None:
    """Without the lock, a socket may be new and not listened on yet."""
    if (descriptor := open_lock(control)) is None:
        return
    try:
        # The background ssh of another verb takes no lock. If it replaces a dead socket just now, it may lose the new
        # one; then the next command logs in again.
        for path in (control, f"{control}{ENGINE}"):
            remove_dead_socket(path)
        os.unlink(f"{control}{LOCK}")
    finally:
        os.close(descriptor)
