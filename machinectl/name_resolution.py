"""Questions to the name service, none of which has a deadline of its own: threads ask, and nobody has to wait."""

from __future__ import annotations

import queue
import socket
import threading
import time
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Answer = TypeVar("Answer")
# How many questions are asked at once.
MOST = 32


class NameLookups(Generic[Answer]):
    """One kind of question about many things; each is asked once, from when it is wanted on."""

    def __init__(self, ask: Callable[[str], Answer]) -> None:
        self._ask = ask
        self._open: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._answered: queue.SimpleQueue[tuple[str, Answer]] = queue.SimpleQueue()
        self._wanted: set[str] = set()
        self._answers: dict[str, Answer] = {}

    def want(self, about: str) -> None:
        if about in self._wanted:
            return
        if len(self._wanted) < MOST:
            threading.Thread(target=self._answer, daemon=True, name="lookup").start()
        self._wanted.add(about)
        self._open.put(about)

    def answers(self, seconds: float) -> dict[str, Answer]:
        """What was answered, to all that was wanted or until the time is over."""
        end = time.monotonic() + seconds
        while len(self._answers) < len(self._wanted):
            try:
                about, answer = self._answered.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                break
            self._answers[about] = answer
        return self._answers

    def _answer(self) -> None:
        while True:
            about = self._open.get()
            self._answered.put((about, self._ask(about)))


def addresses_of(name: str) -> list[str]:
    """The addresses that a name has; none where it is not known."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    # The interface of one that holds there alone is left out (fe80::1%eth0).
    return list(dict.fromkeys(str(address[0]).partition("%")[0] for *_, address in found))


def host_name_of(address: str) -> str:
    """The name that an address has, "" where it has none."""
    try:
        return socket.getnameinfo((address, 0), socket.NI_NAMEREQD)[0]
    except (OSError, UnicodeError):
        return ""
