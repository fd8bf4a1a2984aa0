"""Connections to an engine with a deadline: TCP and unix sockets. Explains failures."""

from __future__ import annotations

import io
import socket

from machinectl.engine.endpoint import EngineError, is_silence
from machinectl.errors import Hint
from machinectl.name_resolution import resolve
from machinectl.state import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Self

    from _typeshed import WriteableBuffer

    from machinectl.engine.endpoint import Deadline, Endpoint
    from machinectl.url import EngineURL

    # getaddrinfo's family, and the argument for connect.
    Address = tuple[socket.AddressFamily, Any]

# Probe a silent peer after this many seconds, this often, and give up after so many (tcp(7)).
KEEP_ALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPALIVE": 15, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 3}
JOURNAL = Hint("Look at the engine's journal on its host", "journalctl -u docker")


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
                f"{self.endpoint.peer} has taken no more data within {self.deadline}", JOURNAL, State.TIMEOUT
            ) from exc
        except OSError as exc:
            raise self.failure(exc) from exc

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
        return EngineError(f"{self.endpoint.peer} {what} within {self.deadline}", JOURNAL, State.TIMEOUT)

    def silence(self) -> EngineError:
        return no_answer(self.endpoint)

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


def no_answer(endpoint: Endpoint) -> EngineError:
    return EngineError(
        f"{endpoint.peer} closes the connection without an answer",
        Hint("Check that an engine is at that address", "machinectl url", endpoint.name),
    )


def connect_tcp(endpoint: Endpoint, url: EngineURL, deadline: Deadline) -> socket.socket:
    """Connect to the first address that accepts. The error is that of the best, which comes first (RFC 6724)."""
    failures: list[OSError] = []
    addresses = resolve_endpoint(endpoint, url, deadline)
    for done, (family, address) in enumerate(addresses):
        try:
            # Share the remaining time, so that one dead address cannot use all of it.
            left = deadline.remaining()
            return connected(family, address, left and left * endpoint.connecting_share / (len(addresses) - done))
        except OSError as exc:
            failures.append(exc)
    first = failures[0] if failures else TimeoutError()
    error = unreachable(endpoint, first, deadline)
    error.silent = all(map(is_silence, failures))
    raise error from first


def connect_unix(endpoint: Endpoint, path: str, deadline: Deadline) -> socket.socket:
    try:
        return connected(socket.AF_UNIX, path, deadline.remaining())
    except OSError as exc:
        raise closed_socket(endpoint, exc, deadline) from exc


def connected(family: socket.AddressFamily, address: Any, timeout: float | None) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout)
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock


def resolve_endpoint(endpoint: Endpoint, url: EngineURL, deadline: Deadline) -> list[Address]:
    port = int(endpoint.peer.rpartition(":")[2])
    by_address = Hint("or use the address", f"machinectl set --url tcp://<ADDRESS>:{port}", endpoint.name)
    try:
        found = resolve(url.host, port, deadline.remaining())
    except TimeoutError as exc:
        cause = f'The name "{url.host}" was not resolved within {deadline}'
        raise EngineError(cause, Hint("Look at the name server") | by_address, State.TIMEOUT) from exc
    except (OSError, UnicodeError) as exc:
        is_silent = isinstance(exc, OSError) and exc.errno == socket.EAI_AGAIN
        raise EngineError(
            f'No name server answers for "{url.host}"' if is_silent else f'The name "{url.host}" is not known here',
            Hint("Check its spelling") | by_address,
        ) from exc
    return [(family, address) for family, _, _, _, address in found]


def unreachable(endpoint: Endpoint, exc: OSError, deadline: Deadline) -> EngineError:
    peer = endpoint.peer
    if isinstance(exc, TimeoutError):
        firewall = f"Check that the host is up and that its firewall lets port {peer.rpartition(':')[2]} through"
        return EngineError(f"{peer} does not answer within {deadline}", Hint(firewall), State.TIMEOUT)
    if isinstance(exc, ConnectionRefusedError):
        start = Hint("Start the engine on its host", "sudo systemctl start docker", elsewhere=True)
        start |= Hint("or set its address", "machinectl set --url <URL>", endpoint.name)
        if endpoint.given_by:
            moved = Hint("or if it has a new address", "machinectl access renew", endpoint.name)
            start = Hint(f"Ask {endpoint.given_by} to start the engine") | moved
        return EngineError(f"{peer} refuses the connection: nothing listens there", start, State.STOPPED)
    check = Hint("Check this computer's network, and the address", "machinectl url", endpoint.name)
    return EngineError(f"Cannot connect to {peer}: {exc.strerror or exc}", check)


def closed_socket(endpoint: Endpoint, exc: OSError, deadline: Deadline) -> EngineError:
    path = endpoint.peer
    start = Hint("Start the engine", "sudo systemctl start docker")
    if isinstance(exc, FileNotFoundError):
        return EngineError(f"There is no socket {path} on this computer", start)
    if isinstance(exc, ConnectionRefusedError):
        return EngineError(f"Nobody listens at {path} on this computer", start, State.STOPPED)
    # A unix socket with a full queue fails with EAGAIN (connect(2)).
    if isinstance(exc, (TimeoutError, BlockingIOError)):
        return EngineError(f"{path} takes no connection within {deadline}", JOURNAL, State.TIMEOUT)
    join = Hint("If it is docker's, join its group, and log in again", "sudo usermod -aG docker $USER")
    return EngineError(f"Cannot connect to {path}: {exc.strerror or exc}", join)
