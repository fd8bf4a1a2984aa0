"""Small servers on loopback that do what a real engine can't be made to do."""

from __future__ import annotations

import json
import re
import secrets
import select
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    # What a server does with a connection. It ends when the function returns, or at the latest with the server.
    Behaviour = Callable[["Connection"], None]

END_OF_HEAD = b"\r\n\r\n"
VERSION = b'{"Version": "99.1.2", "ApiVersion": "1.99"}'
# What else an engine is asked.
TOLD = {
    b"/_ping": b"OK",
    b"/containers/json": b"""[{
        "Id": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "Names": ["/web"], "Image": "nginx:1",
        "Command": "nginx -g 'daemon off;'", "Created": 1700000000, "State": "running", "Status": "Up 2 hours",
        "Ports": [{"PrivatePort": 80, "Type": "tcp"}], "Labels": {"a": "b"}, "NetworkSettings": {"Networks": {}}
    }]""",
    b"/info": b"""{
        "Name": "orion", "ServerVersion": "99.1.2", "OperatingSystem": "Debian GNU/Linux 13 (trixie)",
        "OSType": "linux", "KernelVersion": "6.12.0", "Architecture": "x86_64", "NCPU": 4, "MemTotal": 8123456789,
        "Containers": 3, "ContainersRunning": 2, "ContainersPaused": 0, "ContainersStopped": 1, "Images": 7,
        "Driver": "overlay2", "DockerRootDir": "/var/lib/docker", "Labels": ["rack=7"]
    }""",
}


class Connection:
    """An accepted connection, seen from the server."""

    def __init__(self, sock: socket.socket, stopping: threading.Event) -> None:
        self.sock = sock
        self.stopping = stopping

    def request(self) -> bytes:
        """The head of the next request; empty where the client has closed."""
        head = b""
        while not head.endswith(END_OF_HEAD):
            piece = self.sock.recv(self._rest_of(head))
            if not piece:
                return b""
            head += piece
        return head

    def _rest_of(self, head: bytes) -> int:
        """Return how much may be read of a head that has begun so: what follows it stays in the socket."""
        if isinstance(self.sock, ssl.SSLSocket):  # it cannot look ahead
            return 1
        there = head + self.sock.recv(65536, socket.MSG_PEEK)
        end = there.find(END_OF_HEAD)
        return (len(there) if end < 0 else end + len(END_OF_HEAD)) - len(head)

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def hold(self) -> None:
        """Keep the connection open, and say nothing, until the client closes it or the server stops."""
        while not self.stopping.is_set():
            readable, _, _ = select.select([self.sock], [], [], 0.05)
            if readable and not self.sock.recv(65536):
                return


@contextmanager
def serving(
    behaviour: Behaviour, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
) -> Iterator[int]:
    """Serve every connection in a thread of its own. Yields the port."""
    stopping = threading.Event()
    threads: list[threading.Thread] = []
    connections: list[socket.socket] = []

    def serve(accepted: socket.socket) -> None:
        try:
            with accepted, tls.wrap_socket(accepted, server_side=True) if tls else accepted as sock:
                behaviour(Connection(sock, stopping))
        except OSError:  # the client has gone, or the handshake failed, as it should in many tests
            return

    def accept() -> None:
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError:
                return
            if stopping.is_set():
                accepted.close()
                return
            connections.append(accepted)
            threads.append(threading.Thread(target=serve, args=(accepted,), daemon=True))
            threads[-1].start()

    with listening(host, port) as listener:
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield listener.getsockname()[1]
        finally:
            stopping.set()
            # Whoever still sends to a client that takes nothing more is woken, and so is accept().
            for connection in connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            with socket.socket(listener.family) as caller:
                caller.connect(listener.getsockname())
            for thread in (accepting, *threads):
                thread.join()


def listening(host: str, port: int = 0, *, backlog: int | None = None) -> socket.socket:
    """Listen at an address. A port of our choice is free at 127.0.0.1, too, where any client may have it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if port or host in {"127.0.0.1", "0.0.0.0"}:
        return socket.create_server((host, port), family=family, backlog=backlog)
    with socket.create_server(("127.0.0.1", 0)) as here:
        return socket.create_server((host, here.getsockname()[1]), family=family, backlog=backlog)


def answer(body: bytes, *, status: str = "200 OK", headers: str = "", api: bool = True) -> bytes:
    """An HTTP answer; with `api`, the head that says Docker."""
    docker = "Api-Version: 1.99\r\n" if api else ""
    return f"HTTP/1.1 {status}\r\n{docker}{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


def engine(connection: Connection) -> None:
    """What an engine says to a probe."""
    while request := connection.request():
        connection.send(answer(TOLD.get(request.split()[1], VERSION)))


def engine_of(version: str, *, api: int, least: int, driver: str) -> Behaviour:
    """An engine of some age, where a real one cannot be had: of versions 1.`least` to 1.`api` of the API.

    What it says, also to a client that asks for another version, is what Docker's says.
    """

    def reply(path: str) -> bytes:
        asked = re.match(r"/v1\.(\d+)(/.*)", path)
        if asked and not least <= int(asked[1]) <= api:
            old = int(asked[1]) < least
            why, bound = ("too old. Minimum", least) if old else ("too new. Maximum", api)
            said = f"client version 1.{asked[1]} is {why} supported API version is 1.{bound}"
            return answer(json.dumps({"message": said}).encode(), status="400 Bad Request")
        store = [["driver-type", "io.containerd.snapshotter.v1"]] if driver == "overlayfs" else []
        known: dict[str, dict[str, object]] = {
            "/version": {"Version": version, "ApiVersion": f"1.{api}", "MinAPIVersion": f"1.{least}"},
            "/info": {"ServerVersion": version, "Driver": driver, "DriverStatus": store, "ContainersRunning": 2},
        }
        return answer(json.dumps(known[asked[2] if asked else path]).encode())

    def behaviour(connection: Connection) -> None:
        while request := connection.request():
            path = request.split()[1].decode()
            connection.send(answer(b"OK") if path == "/_ping" else reply(path))

    return behaviour


# From the oldest to one that takes no API below 1.44 and keeps images in containerd's store.
ENGINES = {
    "20.10.24": engine_of("20.10.24", api=41, least=12, driver="overlay2"),
    "26.1.5": engine_of("26.1.5", api=45, least=24, driver="overlay2"),
    "28.5.2": engine_of("28.5.2", api=51, least=24, driver="overlay2"),
    "29.1.3": engine_of("29.1.3", api=52, least=44, driver="overlayfs"),
}


def saying(data: bytes) -> Behaviour:
    """A server that says the same to everybody, after a request, and closes."""

    def behaviour(connection: Connection) -> None:
        connection.request()
        connection.send(data)

    return behaviour


def silent(connection: Connection) -> None:
    connection.hold()


def closing(_: Connection) -> None:
    """Close at once."""


def dripping(connection: Connection) -> None:
    """An engine's answer, a byte at a time, each well within any timeout for a single read."""
    for byte in answer(b"OK" * 1000):
        if connection.stopping.wait(0.02):
            return
        connection.send(bytes([byte]))


def endless_head(connection: Connection) -> None:
    connection.request()
    connection.send(b"HTTP/1.1 200 OK\r\n")
    while not connection.stopping.is_set():
        connection.send(b"X-More: more\r\n" * 1000)


def endless_body(connection: Connection) -> None:
    connection.request()
    connection.send(b"HTTP/1.1 200 OK\r\nApi-Version: 1.99\r\n\r\n")
    while not connection.stopping.is_set():
        connection.send(b"more" * 10000)


def stalling_body(connection: Connection) -> None:
    connection.request()
    connection.send(b"HTTP/1.1 200 OK\r\nApi-Version: 1.99\r\nContent-Length: 100\r\n\r\nsome")
    connection.hold()


# Below those that the kernel itself gives to whoever connects, or listens at any port: one of these stays free.
UNASKED = range(20_000, 32_000)


def free_port() -> int:
    """A port that nobody listens at now; only for programs that cannot be handed a socket or choose one themselves."""
    while True:
        port = secrets.choice(UNASKED)
        with suppress(OSError), socket.create_server(("", port)):
            return port


@contextmanager
def full(host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """A port whose queue is full: as behind a firewall that drops, nothing comes back."""
    with listening(host, port, backlog=0) as listener, socket.socket() as first, socket.socket() as second:
        for client in (first, second):
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@contextmanager
def unlistened() -> Iterator[int]:
    """A port that is taken, so that nobody else gets it, and refuses."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]
