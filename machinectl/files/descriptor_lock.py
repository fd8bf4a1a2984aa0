"""Locks that a process holds while it lives."""

from __future__ import annotations

import fcntl


def take_lock(descriptor: int, *, without_locks: bool) -> bool:
    """Lock an open file or directory. Return False if another process holds it.

    `without_locks` is what to return on a file system that has no locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return without_locks
    return True
