"""Whether anything answers where a machine's SSH is, looked at beside its engine: a host that is silent is off."""

from __future__ import annotations

import queue
import socket
import threading
from typing import TYPE_CHECKING

from machinectl.engine.sockets import connected, is_silence
from machinectl.errors import MachineError

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from machinectl.driver import SSHEndpoint
    from machinectl.engine.endpoint import Deadline

# An engine that answers does so sooner, and then nobody looks; of a shorter deadline the share. Seconds.
HEAD_START = 1.0
SHARE = 4
# Of the time that is left, so that what was found is there when the engine's time is up.
IN_TIME = 0.8
# How many are looked at at the same time: each takes a file descriptor, and 256 are all that a process has on macOS.
AT_ONCE = threading.BoundedSemaphore(32)
# How much later than the deadline what was found is still waited for. Seconds.
GRACE = 0.1


class SSHLook:
    """A look at the port of a machine's SSH, by the deadline of its engine: a connection, and nothing is sent.

    It begins when the engine has not answered for a moment, or when it is asked for what it found.
    """

    def __init__(self, way: SSHEndpoint | None, deadline: Deadline) -> None:
        """`way` is None where the machine has no SSH."""
        self._way = way
        self._deadline = deadline
        self._begin = threading.Event()
        self._over = False
        self._found: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        if self._way:
            try:
                threading.Thread(target=self._look, args=(self._way,), daemon=True, name="silence").start()
            except RuntimeError:  # the system's limit, or the container's
                self._way = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        self._begin.set()

    def is_silent(self) -> bool:
        """Whether nothing answers there; False where that cannot be told."""
        if not self._way:
            return False
        self._begin.set()
        try:
            return self._found.get(timeout=left(self._deadline) + GRACE)
        except queue.Empty:
            return False

    def _look(self, way: SSHEndpoint) -> None:
        self._begin.wait(min(HEAD_START, left(self._deadline) / SHARE))
        if not AT_ONCE.acquire(timeout=left(self._deadline)):
            return
        try:
            if not self._over:
                self._found.put(is_silent(way, self._deadline))
        except Exception:  # noqa: BLE001 (whatever keeps us from looking, as no descriptor left: it cannot be told then)
            self._found.put(False)
        finally:
            AT_ONCE.release()


def left(deadline: Deadline) -> float:
    """The seconds that are left; somebody who waits for ever is given none."""
    try:
        return deadline.remaining() or 0.0
    except TimeoutError:
        return 0.0


def is_silent(way: SSHEndpoint, deadline: Deadline) -> bool:
    """Whether no address of a host answers at its SSH's port: a refusal is an answer.

    Behind a jump host there is no telling: False.
    """
    from machinectl.ssh.settings import settings

    try:
        found = settings(way)
        if not found.is_direct:
            return False
        addresses = socket.getaddrinfo(found.hostname, found.port, found.family, socket.SOCK_STREAM)
    except (MachineError, OSError, UnicodeError):
        return False
    time = left(deadline) * IN_TIME / len(addresses)
    return time > 0 and all(gives_no_answer(family, address, time) for family, _, _, _, address in addresses)


def gives_no_answer(family: socket.AddressFamily, address: tuple[object, ...], timeout: float) -> bool:
    try:
        connected(family, address, timeout).close()
    except OSError as exc:
        return is_silence(exc)
    return False
