"""A machine's socket over SSH: a real sshd, whose host has a real engine, and forwarded ports."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from machinectl.engine import ssh_wire
from machinectl.hosts.present_name import present_name
from machinectl.tunnels.local_sockets import (
    OpenSocket,
    default_path,
    opened_socket,
)
from machinectl.tunnels.socket_service import relayed
from tests.support.docker_cli import DockerCli
from tests.support.engine_sockets import register_ssh_engine, socket_process
from tests.support.in_process import machinectl
from tests.support.published import publishing
from tests.support.quiet import Quiet
from tests.support.registered import register
from tests.support.servers import saying, serving
from tests.support.sshd import keygen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from machinectl.machines.store import Store
    from tests.support.dockerd import Dockerd
    from tests.support.sshd import Sshd

pytestmark = pytest.mark.usefixtures("ssh_config", "runtime")


@pytest.fixture
def reached_by_ssh(store: Store, sshd: Sshd, dockerd: Dockerd) -> Sshd:
    """The host of the machine `orion`, whose engine is reached over SSH only."""
    register_ssh_engine(store, "orion", sshd, dockerd)
    return sshd


def test_one_login_is_kept_and_made_again_after_it_was_lost(reached_by_ssh: Sshd, store: Store, tmp_path: Path) -> None:
    docker = DockerCli(tmp_path / "docker")
    with socket_process(store, "orion") as (_, path):
        for _ in range(3):
            docker("-H", f"unix://{path}", "ps")
        assert reached_by_ssh.log.count("Accepted publickey") == 1
        reached_by_ssh.disconnect()
        docker("-H", f"unix://{path}", "ps")
        assert reached_by_ssh.log.count("Accepted publickey") == 2


def test_a_line_that_went_dead_is_replaced_at_the_next_request(
    reached_by_ssh: Sshd, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ssh itself would notice it after 45 seconds."""
    monkeypatch.setattr(ssh_wire, "PATIENCE", 0.5)
    note = OpenSocket("orion", store.root, default_path(store, "orion"))
    with (
        present_name(store, "orion") as name,
        opened_socket(note) as listener,
        relayed(name, Quiet(), note, listener),
    ):
        for _ in range(2):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(20)
                client.connect(note.path)
                client.sendall(b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n")
                assert client.recv(15) == b"HTTP/1.1 200 OK"
            reached_by_ssh.freeze()
    assert reached_by_ssh.log.count("Accepted publickey") == 2


def test_a_changed_host_key_is_refused(reached_by_ssh: Sshd, store: Store, tmp_path: Path) -> None:
    reached_by_ssh.host_keys = [keygen(tmp_path / "another_host_key")]
    done = machinectl("socket", "orion", "--", "true", store=store.root)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: ")
    assert "Host key verification failed" in done.stderr


@contextmanager
def with_published_port(store: Store, sshd: Sshd) -> Iterator[int]:
    """Yield the port on which a container of `orion` says hello."""
    register(store, "orion", sshd)
    with publishing() as engine, serving(saying(b"hello\n")) as service:
        with store.writing("orion") as held:
            held.machine.url, held.machine.tls = engine.url, False
            held.write()
        engine.run("web", service)
        yield service


def test_published_ports_are_here_as_long_as_the_socket(sshd: Sshd, store: Store) -> None:
    with with_published_port(store, sshd) as service, socket_process(store, "orion", "--forward") as (process, _):
        assert process.stderr
        # The host is this computer: the number is taken, which a warning says.
        lines = iter(process.stderr.readline, "")
        here = next(line for line in lines if line.endswith(f" -> {service} (web)\n")).split()[0]
        port = int(here.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), 30) as client:
            client.sendall(b"\r\n\r\n")
            assert client.recv(6) == b"hello\n"
        process.terminate()
        process.wait(30)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 30)
