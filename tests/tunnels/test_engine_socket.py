"""A machine's socket on this computer, with engines that do what a real one can't be made to do."""

from __future__ import annotations

import json
import os
import socket
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from machinectl.engine import Endpoint, EngineError, probe
from machinectl.errors import MachineError
from machinectl.hosts.present_name import present_name
from machinectl.images.engine_images import Images
from machinectl.machines.record import Machine
from machinectl.tunnels import local_sockets
from machinectl.tunnels.local_sockets import (
    OpenSocket,
    close_sockets,
    default_path,
    machine_at_socket,
    open_sockets,
    opened_socket,
)
from machinectl.tunnels.socket_service import relayed, variables_of
from tests.support.quiet import Quiet
from tests.support.registered import added
from tests.support.servers import engine, free_port, saying, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from machinectl.machines.store import Store
    from tests.support.servers import Behaviour, Connection

SIZE = 3 << 20
PING = b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n"


def register(store: Store, port: int) -> None:
    added(store, Machine("orionbox", "none", url=f"tcp://127.0.0.1:{port}", tls=False))


@contextmanager
def opened(store: Store, console: Quiet | None = None) -> Iterator[str]:
    """Yield the path of the socket of `orionbox`."""
    path = default_path(store, "orionbox")
    note = OpenSocket("orionbox", store.root, path)
    with (
        present_name(store, "orionbox") as name,
        opened_socket(note) as listener,
        relayed(name, console or Quiet(), note, listener),
    ):
        yield path


@contextmanager
def connected(path: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect(path)
        yield client


def read_all(sock: socket.socket) -> bytes:
    found = b""
    while piece := sock.recv(1 << 16):
        found += piece
    return found


@contextmanager
def socket_to(store: Store, behaviour: Behaviour, console: Quiet | None = None) -> Iterator[socket.socket]:
    with serving(behaviour) as port:
        register(store, port)
        with opened(store, console) as path, connected(path) as client:
            yield client


@pytest.mark.usefixtures("runtime")
def test_a_client_ends_its_direction_and_reads_on(store: Store) -> None:
    def count(connection: Connection) -> None:
        connection.send(f"{len(read_all(connection.sock))}".encode() * 1000)

    with socket_to(store, count) as client:
        client.sendall(b"x" * SIZE)
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == str(SIZE).encode() * 1000


@pytest.mark.usefixtures("runtime")
def test_an_engine_ends_its_direction_and_reads_on(store: Store) -> None:
    received = threading.Event()

    def end_first(connection: Connection) -> None:
        connection.request()
        connection.send(b"hello")
        connection.sock.shutdown(socket.SHUT_WR)
        if len(read_all(connection.sock)) == SIZE:
            received.set()

    with socket_to(store, end_first) as client:
        client.sendall(PING)
        assert read_all(client) == b"hello"
        client.sendall(b"x" * SIZE)
        client.shutdown(socket.SHUT_WR)
        assert received.wait(30)


@pytest.mark.usefixtures("runtime")
def test_both_directions_are_held_back_and_lose_nothing(store: Store) -> None:
    def echo(connection: Connection) -> None:
        while piece := connection.sock.recv(1000):
            connection.send(piece)

    sent = bytes(range(256)) * (SIZE >> 8)
    with socket_to(store, echo) as client:

        def write() -> None:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)

        writer = threading.Thread(target=write)
        writer.start()
        assert read_all(client) == sent
        writer.join()


@pytest.mark.usefixtures("runtime")
def test_an_engine_learns_that_a_client_is_gone(store: Store) -> None:
    gone = threading.Event()

    def wait(connection: Connection) -> None:
        connection.request()
        connection.send(b"logs")
        read_all(connection.sock)
        gone.set()

    with socket_to(store, wait) as client:
        client.sendall(PING)
        assert client.recv(4) == b"logs"
        client.close()
        assert gone.wait(30)


def refused(path: str, request: bytes = PING) -> bytes:
    with connected(path) as client:
        client.sendall(request)
        head, _, body = read_all(client).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 502 ")
    return body


@pytest.mark.usefixtures("runtime")
def test_an_error_of_the_socket_is_shown_with_its_words(store: Store) -> None:
    register(store, free_port())
    with opened(store) as path:
        endpoint = Endpoint(f"unix://{path}")
        with Images(endpoint) as images, pytest.raises(EngineError) as failure:
            images.engine()
        found = probe(endpoint, 30)
    assert failure.value.cause.startswith(f"The engine at {path} answers 502: 127.0.0.1")
    assert "Start the engine on its host" in found.error


@pytest.mark.usefixtures("runtime")
def test_a_client_is_told_in_one_line_why_the_engine_is_not_reached(store: Store) -> None:
    console = Quiet()
    port = free_port()
    register(store, port)
    with opened(store, console) as path:
        said = json.loads(refused(path))["message"]
        assert said.startswith(f"127.0.0.1:{port} refuses the connection: nothing listens there; Start the engine")
        assert "\n" not in said
        # The answer to HEAD has no body, and a client that only looks gets none.
        assert refused(path, PING.replace(b"GET", b"HEAD")) == b""
        with connected(path) as client:
            client.shutdown(socket.SHUT_WR)
            assert client.recv(1) == b""
    # Each failure is said once.
    assert [each.replace("\n", "; ") for each in console.warnings] == [said]


@pytest.mark.usefixtures("runtime")
def test_an_engine_that_closes_without_an_answer_is_a_failure(store: Store) -> None:
    console = Quiet()
    with socket_to(store, saying(b""), console) as client:
        client.sendall(PING)
        assert b"closes the connection without an answer" in read_all(client)
    assert len(console.warnings) == 1


@pytest.mark.usefixtures("runtime")
def test_an_engine_that_moved_is_found_at_its_new_url(store: Store) -> None:
    register(store, free_port())
    with serving(engine) as port, opened(store) as path:
        refused(path)
        with store.writing("orionbox") as held:
            held.machine.url = f"tcp://127.0.0.1:{port}"
            held.write()
        ask(path)


@pytest.mark.usefixtures("runtime")
def test_connections_one_after_the_other_leave_no_descriptor(store: Store) -> None:
    with serving(engine) as port:
        register(store, port)
        with opened(store) as path:
            ask(path)
            before = len(os.listdir("/proc/self/fd"))
            for _ in range(300):
                ask(path)
            # The last ones are closed when another is answered.
            while len(os.listdir("/proc/self/fd")) > before + 4:
                ask(path)


def ask(path: str) -> None:
    with connected(path) as client:
        client.sendall(PING)
        assert client.recv(100).startswith(b"HTTP/1.1 200 OK")


def test_only_the_user_can_use_it(store: Store, runtime: Path) -> None:
    register(store, 1)
    with opened(store) as path:
        found = next(runtime.glob("machinectl-*"))
        assert path == f"{found}/orionbox-{path.rpartition('-')[2]}"
        assert found.stat().st_mode & 0o777 == 0o700
        assert (found / path).stat().st_mode & 0o777 == 0o600
        # Others wait for the end of this one.
        with pytest.raises(MachineError, match="is in use already"), opened(store):
            pass
    assert list(found.glob("*.sock")) == []


@pytest.mark.parametrize(
    ("url", "forwards", "host"),
    [
        ("tcp://[fd00::1]:2376", False, "fd00::1"),
        ("tcp://[fd00::1]:2376", True, "localhost"),
        ("unix:///run/docker.sock", False, "localhost"),
    ],
)
def test_published_ports_are_looked_for_where_they_are(store: Store, url: str, forwards: bool, host: str) -> None:
    added(store, Machine("orionbox", "none", url=url))
    variables = variables_of(store, OpenSocket("orionbox", store.root, "/run/o.sock", forwards=forwards))
    assert variables["TESTCONTAINERS_HOST_OVERRIDE"] == host


def test_another_file_at_its_path_is_neither_removed_nor_taken_for_it(
    store: Store, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_sockets, "ASK_SECONDS", 0.1)
    register(store, free_port())
    with ExitStack() as stack, socket.socket(socket.AF_UNIX) as other:
        path = stack.enter_context(opened(store))
        other.bind(str(runtime / "other.sock"))
        other.listen()
        os.rename(runtime / "other.sock", path)
        assert machine_at_socket(store, f"unix://{path}") == ""
        assert open_sockets() == []
        with pytest.raises(MachineError, match="has no open socket"):
            list(close_sockets(store, "orionbox"))
        stack.close()
        assert os.path.exists(path)
