"""Try many TCP connections at once, in one thread."""

from __future__ import annotations

import errno
import os
import selectors
import socket
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from machinectl.errors import Hint, MachineError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from machinectl.engine.endpoint import Deadline

# The process or system has run out of descriptors or memory.
SHORTAGES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
NO_WAY = {errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL}


class SweepTarget(NamedTuple):
    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


class PortSweep:
    """Each target has `timeout` seconds; Linux resends a packet after one. `no_way` counts those without a route."""

    def __init__(self, targets: Iterable[SweepTarget], timeout: float) -> None:
        self.refusing: set[str] = set()
        self.no_way = 0
        self._targets = iter(targets)
        self._next: SweepTarget | None = next(self._targets, None)
        self._timeout = timeout
        self._selector = selectors.DefaultSelector()
        # The oldest, which times out first, comes first.
        self._trying: OrderedDict[socket.socket, tuple[SweepTarget, float]] = OrderedDict()
        self._taken: list[tuple[SweepTarget, socket.socket]] = []

    @property
    def done(self) -> bool:
        return not self._trying and self._next is None

    @property
    def waiting(self) -> bool:
        """Whether `step` would wait for an answer, not a socket."""
        return bool(self._trying)

    def step(self, room: int) -> list[tuple[SweepTarget, socket.socket]]:
        """Keep `room` attempts running, and return connections for the caller to close. Raises MachineError."""
        while self._next and len(self._trying) < room and self._begin(self._next):
            self._next = next(self._targets, None)
        if self._trying and not self._taken:
            oldest = next(iter(self._trying.values()))[1]
            for key, _ in self._selector.select(max(0.0, oldest - time.monotonic())):
                self._ended(key.fileobj)  # type: ignore[arg-type]  # sockets are all that is in it
            self._give_up()
        taken, self._taken = self._taken, []
        return taken

    def close(self) -> None:
        for sock in [*self._trying, *(sock for _, sock in self._taken)]:
            sock.close()
        self._trying.clear()
        self._taken.clear()
        self._selector.close()

    def _begin(self, target: SweepTarget) -> bool:
        """Return False if no socket is available."""
        family = socket.AF_INET6 if ":" in target.address else socket.AF_INET
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as exc:
            return self._failed(target, exc.errno)
        sock.setblocking(False)
        code = sock.connect_ex(target)
        if code in {0, errno.EINPROGRESS}:
            self._trying[sock] = target, time.monotonic() + self._timeout
            self._selector.register(sock, selectors.EVENT_WRITE)
            return True
        sock.close()
        return self._failed(target, code)

    def _failed(self, target: SweepTarget, code: int | None) -> bool:
        """Return False if no socket was available."""
        if code in SHORTAGES:
            if not self._trying:
                raise MachineError(
                    f"Cannot open another socket: {os.strerror(code or 0)}", Hint("Allow more", "ulimit -n 4096")
                )
            return False
        if code == errno.ECONNREFUSED:
            self.refusing.add(target.address)
        elif code in NO_WAY:
            self.no_way += 1
        return True

    def _ended(self, sock: socket.socket) -> None:
        target, _ = self._forget(sock)
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code == 0 and not is_self_connected(sock):
            self._taken.append((target, sock))
            return
        sock.close()
        self._failed(target, code or errno.ECONNREFUSED)

    def _give_up(self) -> None:
        now = time.monotonic()
        while self._trying and next(iter(self._trying.values()))[1] <= now:
            sock = next(iter(self._trying))
            self._forget(sock)
            sock.close()

    def _forget(self, sock: socket.socket) -> tuple[SweepTarget, float]:
        self._selector.unregister(sock)
        return self._trying.pop(sock)


def connect_again(target: SweepTarget, deadline: Deadline) -> socket.socket:
    return socket.create_connection(target, deadline.remaining())


def is_self_connected(sock: socket.socket) -> bool:
    """TCP allows it if the local port is the target."""
    try:
        return bool(sock.getsockname() == sock.getpeername())
    except OSError:  # the connection was closed meanwhile
        return False
