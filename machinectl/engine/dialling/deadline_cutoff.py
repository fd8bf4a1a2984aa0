"""Shut connections down at their deadlines, in one thread.

Socket timeouts are not enough: OpenSSL keeps reading while bytes arrive.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Watch:
    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._watched: dict[socket.socket, tuple[float, threading.Event]] = {}
        # time.monotonic() of the next check; None without a thread.
        self._next: float | None = None

    @contextmanager
    def cutting(self, sock: socket.socket, seconds: float, late: threading.Event) -> Iterator[None]:
        """Shut down after `seconds`, and set `late`."""
        try:
            self._add(sock, time.monotonic() + seconds, late)
            yield
        finally:
            with self._changed:
                self._watched.pop(sock, None)

    def _add(self, sock: socket.socket, end: float, late: threading.Event) -> None:
        with self._changed:
            self._watched[sock] = end, late
            if self._next is None:
                threading.Thread(target=self._run, daemon=True, name="overdue").start()
            elif end < self._next:
                self._changed.notify()
            else:
                return
            self._next = end

    def _run(self) -> None:
        with self._changed:
            while self._watched:
                self._next = min(end for end, _ in self._watched.values())
                self._changed.wait(max(0.0, self._next - time.monotonic()))
                self._cut(time.monotonic())
            self._next = None

    def _cut(self, now: float) -> None:
        for sock in [sock for sock, (end, _) in self._watched.items() if end <= now]:
            _, late = self._watched.pop(sock)
            late.set()
            with suppress(OSError):
                # SSLSocket.shutdown would drop the TLS state during a handshake.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


WATCH = Watch()
