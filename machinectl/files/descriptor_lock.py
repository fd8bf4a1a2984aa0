"""Locks that a process holds while it lives."""

from __future__ import annotations

import fcntl


def take_lock(descriptor: int) -> bool:
    """Lock an open file or directory; return False if another process holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
