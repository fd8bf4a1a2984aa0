"""A connection to an engine with a deadline."""

from __future__ import annotations

import io
import socket

from machinectl.engine.endpoint import EngineError
from machinectl.errors import Hint
from machinectl.state import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from _typeshed import WriteableBuffer

    from machinectl.engine.endpoint import Deadline, Endpoint

# Probe a silent peer after this many seconds, this often, and give up after so many (tcp(7)).
KEEP_ALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPALIVE": 15, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 3}


def keep_alive(sock: socket.socket) -> None:
    """Notice within about a minute that the peer's host is gone, also while it is silent."""
    if sock.family == socket.AF_UNIX:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEP_ALIVE.items():
        # macOS has another name for TCP_KEEPIDLE.
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class Wire:
    """A connected socket. Calls raise EngineError after the deadline; callers may replace it."""

    # Errors of sending after the peer closed.
    closed: tuple[type[OSError], ...] = (BrokenPipeError, ConnectionResetError)

    def __init__(self, sock: socket.socket, endpoint: Endpoint, deadline: Deadline) -> None:
        self.sock = sock
        self.endpoint = endpoint
        self.deadline = deadline
        self.answering = False  # the peer has sent a byte
        self.broken = False  # the peer accepts no more data

    def send(self, data: bytes) -> None:
        try:
            self.sock.settimeout(self.deadline.patience())
            self.sock.sendall(data)
        except self.closed:
            # The next read often finds the reason: a TLS alert or status 400.
            self.broken = True
        except TimeoutError as exc:
            raise EngineError(
                f"{self.endpoint.peer} has taken no more data within {self.deadline}",
                Hint("Check that its host is up", "machinectl ls") | Hint("then run the same command again"),
                State.TIMEOUT,
            ) from exc
        except OSError as exc:
            raise self.failure(exc) from exc

    def keep_alive(self) -> None:
        keep_alive(self.sock)

    def receive_into(self, buffer: WriteableBuffer) -> int:
        """Read at least one byte; return 0 at the end."""
        try:
            self.sock.settimeout(self.deadline.patience())
            count = self._received(buffer)
        except OSError as exc:
            raise self.failure(exc) from exc
        self.answering = self.answering or count > 0
        if not self.answering:
            raise self.silence()
        return count

    def _received(self, buffer: WriteableBuffer) -> int:
        while True:
            is_last = self.deadline.is_over
            try:
                return self.sock.recv_into(buffer)
            except TimeoutError:
                # OpenSSL's timeout can pass while this thread waits for the processor, with the data here.
                if is_last:
                    raise
                self.sock.settimeout(self.deadline.patience())

    def reader(self) -> io.BufferedReader:
        """Return a file of what arrives; closing it keeps the connection open."""
        return io.BufferedReader(_Reader(self))

    def failure(self, exc: OSError) -> EngineError:
        if isinstance(exc, TimeoutError):
            return self.late()
        if isinstance(exc, ConnectionResetError):
            return self.silence()
        return EngineError(f"The connection to {self.endpoint.peer} broke: {exc.strerror or exc}", Hint("Try again"))

    def late(self) -> EngineError:
        what = "has not finished its answer" if self.answering else "takes the connection, but has not answered"
        return EngineError(
            f"{self.endpoint.peer} {what} within {self.deadline}",
            Hint("Look at the engine's journal on its host", "journalctl -u docker"),
            State.TIMEOUT,
        )

    def silence(self) -> EngineError:
        return EngineError(
            f"{self.endpoint.peer} closes the connection without an answer",
            Hint("Check that an engine is at that address", "machinectl url", self.endpoint.name),
        )

    def close(self) -> None:
        self.sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()


class _Reader(io.RawIOBase):
    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        return self.wire.receive_into(buffer)
