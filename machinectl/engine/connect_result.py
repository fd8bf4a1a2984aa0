"""Result of connecting to a host."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

# The host is off: its router says so, or ARP got no answer.
NOBODY_THERE = {errno.EHOSTUNREACH, errno.EHOSTDOWN}


class Opened:
    """A connected socket, or one failure per address."""

    def __init__(self) -> None:
        self.sock: socket.socket | None = None
        self.failures: list[OSError] = []

    @property
    def is_silent(self) -> bool:
        return self.sock is None and all(map(is_silence, self.failures))

    def take(self) -> socket.socket | None:
        """Return the socket once; the caller closes it."""
        sock, self.sock = self.sock, None
        if sock:
            self.failures.clear()
        return sock

    def close(self) -> None:
        if sock := self.take():
            sock.close()


def is_silence(exc: OSError) -> bool:
    """Return whether nobody answered. A refusal is an answer."""
    return isinstance(exc, TimeoutError) or exc.errno in NOBODY_THERE
