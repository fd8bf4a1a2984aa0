"""Remove sockets at which nobody listens."""

from __future__ import annotations

import os
import stat
from contextlib import suppress


def is_dead_socket(path: str) -> bool:
    """Return whether it is a socket of the user's at which nobody listens."""
    found = os.lstat(path)
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
        return False
    import socket

    with socket.socket(socket.AF_UNIX) as connection:
        connection.setblocking(False)
        try:
            connection.connect(path)
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False


def remove_dead_socket(path: str) -> None:
    with suppress(OSError):
        if is_dead_socket(path):
            os.unlink(path)
