"""Resolve names in daemon threads, because getaddrinfo has no timeout."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections import deque

from machinectl.url import is_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Generic, TypeVar

    Answer = TypeVar("Answer")
    # getaddrinfo's result: family, kind, protocol, canonical name, and the address for connect.
    AddressInfo = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]
else:
    # `typing` takes a tenth of the time of `status`.
    Answer, Generic = "Answer", {"Answer": object}

# How many names are looked up at once.
MOST = 32


class NameLookups(Generic[Answer]):
    """Looks up names or addresses in the background, each once."""

    def __init__(self, look_up: Callable[[str], Answer]) -> None:
        self._look_up = look_up
        self._lock = threading.Lock()
        self._waiting: deque[str] = deque()
        self._threads = 0
        self._answered: queue.SimpleQueue[tuple[str, Answer]] = queue.SimpleQueue()
        self._added: set[str] = set()
        self._answers: dict[str, Answer] = {}

    def add(self, name: str) -> None:
        if name in self._added:
            return
        self._added.add(name)
        with self._lock:
            self._waiting.append(name)
            is_new_thread = self._threads < MOST
            self._threads += is_new_thread
        if is_new_thread:
            threading.Thread(target=self._work, daemon=True, name=f"resolve {name}").start()

    def answers(self, seconds: float | None) -> dict[str, Answer]:
        """Return the answers that arrive within `seconds`."""
        end = None if seconds is None else time.monotonic() + seconds
        while len(self._answers) < len(self._added):
            try:
                name, answer = self._answered.get(timeout=end and max(0.0, end - time.monotonic()))
            except queue.Empty:
                break
            self._answers[name] = answer
        return self._answers

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._threads -= 1
                    return
                name = self._waiting.popleft()
            self._answered.put((name, self._look_up(name)))


def resolve(host: str, port: int, seconds: float | None, family: int = socket.AF_UNSPEC) -> Sequence[AddressInfo]:
    """Return addresses, best first (RFC 6724). Raises OSError, UnicodeError or TimeoutError."""
    if is_address(host):
        return socket.getaddrinfo(encoded(host), port, family, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)

    def look_up(name: str) -> Sequence[AddressInfo] | Exception:
        try:
            return socket.getaddrinfo(encoded(name), port, family, socket.SOCK_STREAM)
        # Python's idna codec refuses labels of more than 63 characters.
        except (OSError, UnicodeError) as exc:
            return exc

    lookups = NameLookups(look_up)
    lookups.add(host)
    answer = lookups.answers(seconds).get(host, TimeoutError())
    if isinstance(answer, Exception):
        raise answer
    return answer


def encoded(host: str) -> str | bytes:
    """Return bytes if possible: for text, getaddrinfo and ssl load the idna codec, a tenth of `status`'s time."""
    return host.encode() if host.isascii() else host


def addresses_of(name: str) -> list[str]:
    """Omit zones (fe80::1%eth0)."""
    try:
        found = socket.getaddrinfo(encoded(name), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(str(address[0]).partition("%")[0] for *_, address in found))


def host_name_of(address: str) -> str:
    try:
        return socket.getnameinfo((address, 0), socket.NI_NAMEREQD)[0]
    except (OSError, UnicodeError):
        return ""
