"""Ask sockets who listens, and remove those at which nobody does."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress


def is_dead_socket(path: str) -> bool:
    """Return whether it is a socket of the user's at which nobody listens."""
    found = os.lstat(path)
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
        return False
    return listening_process(path) is None


def listening_process(path: str) -> int | None:
    """Return the process that listens at a socket, None if nobody does.

    It is 0 if that is not known: in another PID namespace, or while too many connections wait.
    """
    import socket

    with socket.socket(socket.AF_UNIX) as connection:
        connection.setblocking(False)
        try:
            connection.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            return None
        except OSError:
            return 0
        # The first member of Linux's struct ucred; macOS has LOCAL_PEERPID of SOL_LOCAL (sys/un.h).
        which = (socket.SOL_SOCKET, socket.SO_PEERCRED) if sys.platform == "linux" else (0, 2)
        return connection.getsockopt(*which)


def remove_dead_socket(path: str) -> None:
    with suppress(OSError):
        if is_dead_socket(path):
            os.unlink(path)
