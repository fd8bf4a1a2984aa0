"""File locks in the store; the kernel releases them when the process ends."""

from __future__ import annotations

import os

from machinectl.files.atomic import PRIVATE_FILE, StoreError, Translated, open_without_waiting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


# Locks of this process, with their holders: flock would wait for itself.
HELD: dict[str, object] = {}


class Lock:
    """A file lock. While it waits, it calls `waiting`, which pauses, repeatedly."""

    def __init__(self, path: str, waiting: Callable[[], None] | None = None) -> None:
        self.path = path
        self.waiting = waiting
        self.descriptor = -1

    def acquire(self, *, wait: bool) -> bool:
        """Take the lock. Without `wait`, return False if another process holds it."""
        import fcntl

        with Translated(self.path):
            self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
        try:
            with Translated(self.path):
                fcntl.flock(self.descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except StoreError as exc:
            self.release()
            if isinstance(exc.__cause__, BlockingIOError):
                return False
            raise
        return True

    def release(self) -> None:
        os.close(self.descriptor)

    def __enter__(self) -> None:
        if self.waiting is None:
            self.acquire(wait=True)
            return
        while not self.acquire(wait=False):
            self.waiting()

    def __exit__(self, *_: object) -> None:
        self.release()


def is_locked(path: str) -> bool:
    """Check without creating the lock's file."""
    try:
        descriptor = open_without_waiting(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not share(descriptor)
    finally:
        os.close(descriptor)


def share(descriptor: int, *, wait: bool = False) -> bool:
    """Share the lock of an open file. Return False if another process holds it."""
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH if wait else fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as exc:
        # A file system without locks: not held.
        return not isinstance(exc, BlockingIOError)
    return True
