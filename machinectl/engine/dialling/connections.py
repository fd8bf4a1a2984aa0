"""Connect to many TCP hosts in one thread."""

from __future__ import annotations

import heapq
import itertools
import os
import selectors
import socket
import threading
import time
from contextlib import suppress
from functools import partial

from machinectl.engine.endpoint import Opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from machinectl.engine.dialling.sockets import Address

    Do = Callable[[], None]


class Connecting(Opened):
    def __init__(self, addresses: Sequence[Address], seconds: float) -> None:
        super().__init__()
        self.addresses = list(addresses)
        self.end = time.monotonic() + seconds
        self.ended = False
        self.started = False
        # Ends the current attempt.
        self.leave: Callable[[], object] | None = None

    def next_address(self) -> tuple[Address, float] | None:
        """Return the next address and its share of the remaining seconds."""
        if not self.addresses:
            return None
        share = (self.end - time.monotonic()) / len(self.addresses)
        return self.addresses.pop(0), share


class Connections:
    """The connection thread. Callbacks must not block. Raises RuntimeError if it cannot start."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: list[Do] = []
        self._woken, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        self._woken.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._woken, selectors.EVENT_READ)
        # (time.monotonic(), tie-breaker, callback).
        self._timers: list[tuple[float, int, Do]] = []
        self._numbers = itertools.count()
        self._watchers: dict[Connecting, list[Do]] = {}
        # Their sockets may still be unused.
        self._begun: set[Connecting] = set()
        self._is_over = False
        try:
            threading.Thread(target=self._run, daemon=True, name="connections").start()
        except RuntimeError:
            self._close_all()
            raise

    def begin(self, addresses: Sequence[Address], seconds: float, after: float = 0.0) -> Connecting:
        """Start connecting after `after` seconds, for `seconds`; the first address that accepts wins."""
        connecting = Connecting(addresses, after + seconds)
        when = time.monotonic() + after

        def begin() -> None:
            self._begun.add(connecting)
            if after:
                self._at(when, partial(self._start, connecting))
            else:
                self._start(connecting)

        self._order(begin)
        return connecting

    def hurry(self, connecting: Connecting) -> None:
        """Start connecting now, if it still waits for its time."""
        self._order(partial(self._start, connecting))

    def call_back(self, connecting: Connecting, seconds: float | None, ready: Do) -> None:
        """Call `ready` once: when connecting ends, or after `seconds`."""
        calls = iter([ready])

        def once() -> None:
            for call in calls:
                call()

        def watch() -> None:
            if connecting.ended:
                once()
                return
            self._watchers.setdefault(connecting, []).append(once)
            if seconds is not None:
                self._at(time.monotonic() + seconds, once)

        self._order(watch)

    def cancel(self, connecting: Connecting) -> None:
        """Stop connecting; close an unused socket."""

        def cancel() -> None:
            self._begun.discard(connecting)
            connecting.addresses.clear()
            connecting.close()
            if connecting.leave:
                connecting.leave()

        self._order(cancel)

    def close(self) -> None:
        def end() -> None:
            self._is_over = True

        self._order(end)

    def _order(self, what: Do) -> None:
        with self._lock:
            self._orders.append(what)
        # If the buffer is full, the thread wakes anyway. If it is closed, the thread has ended.
        with suppress(OSError):
            self._waker.send(b"!")

    def _at(self, when: float, what: Do) -> None:
        heapq.heappush(self._timers, (when, next(self._numbers), what))

    def _run(self) -> None:
        try:
            while not self._is_over:
                self._turn()
        finally:
            self._close_all()

    def _close_all(self) -> None:
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        for connecting in self._begun:
            connecting.close()
        self._selector.close()
        self._waker.close()

    def _turn(self) -> None:
        patience = max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None
        for key, _ in self._selector.select(patience):
            if key.data:
                key.data()
            else:
                with suppress(BlockingIOError):
                    self._woken.recv(1 << 16)
        with self._lock:
            orders, self._orders = self._orders, []
        for order in orders:
            order()
        # Events before timeouts: a slow computer must not report an answering host as silent.
        while self._timers and self._timers[0][0] <= time.monotonic():
            heapq.heappop(self._timers)[2]()

    def _start(self, connecting: Connecting) -> None:
        if not connecting.started:
            connecting.started = True
            self._try_next(connecting)

    def _try_next(self, connecting: Connecting) -> None:
        while following := connecting.next_address():
            (family, address), share = following
            try:
                if share <= 0:
                    raise TimeoutError
                sock = socket.socket(family, socket.SOCK_STREAM)
            except OSError as exc:
                connecting.failures.append(exc)
                continue
            sock.setblocking(False)
            try:
                sock.connect(address)
            except BlockingIOError:
                self._follow(connecting, sock, share)
                return
            except OSError as exc:
                sock.close()
                connecting.failures.append(exc)
            else:
                connecting.sock = sock
                break
        self._end(connecting)

    def _follow(self, connecting: Connecting, sock: socket.socket, seconds: float) -> None:
        def made() -> None:
            if failure := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                left(OSError(failure, os.strerror(failure)))
                return
            connecting.leave = None
            self._selector.unregister(sock)
            connecting.sock = sock
            self._end(connecting)

        def left(why: OSError) -> None:
            connecting.leave = None
            self._selector.unregister(sock)
            sock.close()
            connecting.failures.append(why)
            self._try_next(connecting)

        def late() -> None:
            if connecting.leave is leave:
                leave()

        leave = partial(left, TimeoutError())
        connecting.leave = leave
        self._selector.register(sock, selectors.EVENT_WRITE, made)
        self._at(time.monotonic() + seconds, late)

    def _end(self, connecting: Connecting) -> None:
        connecting.ended = True
        for ready in self._watchers.pop(connecting, []):
            ready()
