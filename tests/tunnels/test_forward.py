"""`machinectl forward` as its user runs it: what it prints, and what is left when it ends."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.program import machinectl, started
from tests.support.published import publishing
from tests.support.registered import register
from tests.support.servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from machinectl.machines.store import Store
    from tests.support.published import PublishingEngine
    from tests.support.sshd import Sshd

# The configuration of whoever runs the tests is not read.
pytestmark = pytest.mark.usefixtures("ssh_config")

PATIENCE = 20


@pytest.fixture
def orion(store: Store, sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> Store:
    register(store, "orion", sshd)
    monkeypatch.setenv("MACHINE_STORAGE_PATH", store.root)
    return store


@pytest.fixture
def service() -> Iterator[int]:
    """A port of the host."""
    with serving(lambda connection: connection.send(b"hello\n")) as port:
        yield port


@pytest.fixture
def engine(orion: Store) -> Iterator[PublishingEngine]:
    """The machine's engine."""
    with publishing() as engine:
        with orion.writing("orion") as held:
            held.machine.url, held.machine.tls = engine.url, False
            held.write()
        yield engine


@contextmanager
def forwarding(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    pipe = subprocess.PIPE
    # Without a buffer, which would hide a second line from select.
    with started("forward", *words, stdout=pipe, stderr=pipe, bufsize=0) as process:
        try:
            yield process
        finally:
            process.kill()


def line_of(process: subprocess.Popen[bytes]) -> str:
    """Wait for the next line on stdout."""
    assert process.stdout
    assert select.select([process.stdout], [], [], PATIENCE)[0]
    return process.stdout.readline().decode()


def received(port: int, address: str = "127.0.0.1") -> bytes:
    with socket.create_connection((address, port), PATIENCE) as connection:
        return connection.recv(6)


@pytest.fixture
def temporary(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(runtime))
    return runtime


def ssh_of(directory: Path) -> list[int]:
    """The processes whose control sockets are below a directory."""
    found = []
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/cmdline", "rb") as file:
                words = file.read()
        except OSError:
            continue
        if os.fsencode(directory) in words and words.partition(b"\0")[0].endswith(b"ssh"):
            found.append(int(process))
    return found


def test_a_port_in_use_is_replaced_in_the_line_as_typed_and_a_port_is_forwarded_once(
    orion: Store, service: int
) -> None:
    del orion
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        done = machinectl("forward", "orion", f"{number}:{service}", "9:22")
    assert done.stdout == ""
    assert done.stderr == (
        f"Error: Port {number} of this computer is in use\n  Use a free one: machinectl forward orion 0:{service}\n"
    )
    with forwarding("orion", str(service), str(service)) as process:
        line_of(process)
        # It follows the line: a signal could come between.
        assert process.stderr
        assert b"in use" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate(timeout=PATIENCE)
    assert (rest, said) == (b"", b"")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_and_leaves_nothing(
    orion: Store, service: int, temporary: Path, number: signal.Signals, status: int
) -> None:
    del orion
    with forwarding("orion", f"0:{service}") as process:
        here, arrow, port = line_of(process).split()
        assert (arrow, port) == ("->", str(service))
        assert received(int(here.rpartition(":")[2])) == b"hello\n"
        assert len(ssh_of(temporary)) == 1
        process.send_signal(number)
        _, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said) == (status, b"")
    assert ssh_of(temporary) == []
    assert list(temporary.glob("machinectl-ssh-*")) == []


def test_a_kill_ends_the_connection_and_the_next_start_removes_the_rest(
    orion: Store, service: int, temporary: Path
) -> None:
    del orion
    with forwarding("orion", f"0:{service}") as process:
        line_of(process)
        [ssh] = map(os.pidfd_open, ssh_of(temporary))
        process.kill()
        assert select.select([ssh], [], [], PATIENCE)[0]
        os.close(ssh)
    assert len(list(temporary.glob("machinectl-ssh-*"))) == 1
    with forwarding("orion", f"0:{service}") as process:
        line_of(process)
        assert len(list(temporary.glob("machinectl-ssh-*"))) == 1
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)
    assert list(temporary.glob("machinectl-ssh-*")) == []


@pytest.mark.usefixtures("runtime")
def test_json_has_a_line_for_each_port_that_opens_or_closes(engine: PublishingEngine, service: int) -> None:
    engine.run("web", service)
    with forwarding("--auto", "--json", "orion") as process:
        opened: dict[str, Any] = json.loads(line_of(process))
        local = opened["Local"]
        assert opened == {
            "Event": "open",
            "Address": "127.0.0.1",
            "Local": local,
            "Port": service,
            "Target": "127.0.0.1",
            "Container": "web",
        }
        engine.remove("web")
        assert json.loads(line_of(process)) == {**opened, "Event": "close"}


@pytest.mark.usefixtures("runtime")
def test_only_the_bound_address_is_listened_on(orion: Store, service: int) -> None:
    del orion
    with forwarding("--bind", "127.0.0.3", "orion", f"0:{service}") as process:
        here = line_of(process).split()[0]
        address, _, port = here.rpartition(":")
        assert address == "127.0.0.3"
        assert received(int(port), address) == b"hello\n"
        with pytest.raises(ConnectionRefusedError):
            received(int(port))


def refused(*words: str) -> tuple[int, list[str]]:
    done = machinectl("forward", *words)
    assert done.stdout == ""
    return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["orion"], 2, "Forward what all containers publish: machinectl forward --auto orion"),
        (["--auto", "orion", "web"], 2, "--auto and a container exclude each other"),
        (["--bind", "here", "orion", "80"], 2, "--bind 'here' is not an address"),
        (["--bind", "192.0.2.1", "orion", "80"], 1, "192.0.2.1 is not an address of this computer"),
        (["orion", "nix"], 1, "List them: machinectl ps -a orion"),
        (["orion", "offf"], 1, "Did you mean: machinectl forward orion off"),
        (["orion", "off"], 1, "Start it: machinectl docker orion -- start off"),
        (["orion", "dns"], 1, "The container dns publishes no port over TCP"),
    ],
)
@pytest.mark.usefixtures("runtime")
def test_what_cannot_be_forwarded_is_refused_with_the_reason(
    engine: PublishingEngine, words: list[str], status: int, said: str
) -> None:
    engine.run("off", 80, state="exited")
    engine.run("dns", 53, kind="udp")
    found, lines = refused(*words)
    assert (found, len(lines)) == (status, 2)
    assert said in "".join(lines)


def test_a_machine_without_ssh_is_refused(orion: Store) -> None:
    del orion
    assert machinectl("create", "-d", "none", "--url", "tcp://127.0.0.1:1", "--no-tls", "far").returncode == 0
    for words in (["80"], []):
        status, lines = refused("far", *words)
        assert status == 1
        assert lines[0] == 'Error: "far" has no SSH: driver "none" gives no SSH address for it'
