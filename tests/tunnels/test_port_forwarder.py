"""Ports of a real sshd's host, forwarded by the real ssh; containers of an engine that a test changes."""

from __future__ import annotations

import os
import queue
import random
import socket
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl.engine import Endpoint
from machinectl.files import spool_directory
from machinectl.hosts.login import Login
from machinectl.hosts.present_name import present_name
from machinectl.machines.store import Store
from machinectl.machines.store.store_paths import NoSuchMachine
from machinectl.ssh.ssh_errors import HostKeyRefused, SSHError
from machinectl.tunnels import open_ports
from machinectl.tunnels.open_ports import LOOPBACK, MOST_PORTS, OpenPort, OpenPorts, bound_socket, listening_error
from machinectl.tunnels.port_forwarder import PortForwarder
from machinectl.tunnels.published_ports import FollowedContainers, Wish
from tests.support.in_process import machinectl
from tests.support.published import publishing
from tests.support.quiet import Quiet
from tests.support.registered import register
from tests.support.servers import serving
from tests.support.sshd import keygen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.machines.record import Machine
    from tests.support.published import PublishingEngine
    from tests.support.servers import Connection
    from tests.support.sshd import Sshd

# The configuration of whoever runs the tests is not read.
pytestmark = pytest.mark.usefixtures("ssh_config", "runtime")

# What a test waits for at most, in seconds.
PATIENCE = 20


def echo(connection: Connection) -> None:
    """Say hello, then what was sent."""
    connection.send(b"hello\n")
    while data := connection.sock.recv(1 << 16):
        connection.send(data)


def received(port: int, address: str = "127.0.0.1") -> bytes:
    with socket.create_connection((address, port), PATIENCE) as connection:
        return connection.recv(6)


def store_of(machine: Machine) -> Store:
    return Store(os.path.dirname(os.path.dirname(machine.directory)))


class Forwarding:
    """A forwarder, and what it reports, in order."""

    def __init__(self, machine: Machine, engine: PublishingEngine | None = None, names: tuple[str, ...] = ()) -> None:
        self.console = Quiet()
        self.reports: queue.SimpleQueue[tuple[OpenPort, bool]] = queue.SimpleQueue()
        self.ports = OpenPorts(machine.name, self.console, lambda port, opened: self.reports.put((port, opened)))
        containers = None
        if engine:
            containers = FollowedContainers(partial(Endpoint, engine.url), frozenset(names) or None)
        self.files = ExitStack()
        self.present = self.files.enter_context(present_name(store_of(machine), machine.name))
        self.forwarder = PortForwarder(self.present, self.console, Login(), self.ports, containers)
        # How it ends.
        self.running: Future[None] = Future()

    def said(self, text: str) -> threading.Event:
        """An event that is set when a text is said."""
        event = threading.Event()
        self.console.when(text, event.set)
        return event

    def next(self) -> tuple[int, str, bool]:
        """Wait for the next report: the number here, the container, and whether it opened."""
        port, opened = self.reports.get(timeout=PATIENCE)
        return port.local, port.wish.container, opened


@pytest.fixture
def machine(store: Store, sshd: Sshd) -> Machine:
    return register(store, "orion", sshd)


@pytest.fixture
def service() -> Iterator[int]:
    with serving(echo) as port:
        yield port


@contextmanager
def started(forwarding: Forwarding, *wishes: Wish) -> Iterator[Forwarding]:
    with forwarding.files, ThreadPoolExecutor() as threads:
        try:
            forwarding.forwarder.start(wishes)
            forwarding.running = threads.submit(forwarding.forwarder.run)
            yield forwarding
        finally:
            forwarding.forwarder.close()
    assert leftovers() == []


@pytest.fixture(autouse=True)
def temporary(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_directory, "temporary_place", lambda: str(runtime))


def leftovers() -> list[Path]:
    return list(Path(os.environ["XDG_RUNTIME_DIR"]).glob(f"{spool_directory.SSH_PREFIX}*"))


def unused_here(count: int, address: str, listening: ExitStack) -> set[int]:
    """Listen on an address of the host, on ports that nobody uses on this computer's own.

    They are not those that the system gives to connections: other tests make many of these.
    """
    found: set[int] = set()
    for number in random.sample(range(15_000, 32_000), 1000):
        if len(found) < count and not open_ports.why_not(LOOPBACK, number):
            with suppress(OSError):
                listening.enter_context(bound_socket(address, number))
                found.add(number)
    return found


def free(port: int = 0) -> Wish:
    return Wish("localhost", port, 0)


def test_a_port_is_reached_on_both_loopback_addresses_until_it_ends(machine: Machine, service: int) -> None:
    with started(Forwarding(machine), free(service)) as forwarding:
        local, _, _ = forwarding.next()
        assert {received(local, address) for address in LOOPBACK if not listening_error(address, 0)} == {b"hello\n"}
    with pytest.raises(ConnectionRefusedError):
        received(local)


def test_another_number_is_used_once_said_if_the_same_one_is_taken(machine: Machine, service: int) -> None:
    # The service itself listens on the same number: this computer is the host.
    with started(Forwarding(machine), Wish("localhost", service)) as forwarding:
        local, _, _ = forwarding.next()
        assert local != service
        assert received(local) == b"hello\n"
        assert forwarding.console.warnings == [f"Port {service} of this computer is in use: using {local} instead"]


def test_containers_ports_come_and_go_with_them(machine: Machine, service: int) -> None:
    with publishing() as engine, serving(echo) as second, started(Forwarding(machine, engine)) as forwarding:
        engine.run("web", service)
        local, *rest = forwarding.next()
        assert rest == ["web", True]
        assert received(local) == b"hello\n"
        engine.run("db", second)
        other, *rest = forwarding.next()
        assert rest == ["db", True]
        engine.remove("web")
        assert forwarding.next() == (local, "web", False)
        with pytest.raises(ConnectionRefusedError):
            received(local)
        assert received(other) == b"hello\n"


def test_what_an_engine_did_while_it_was_not_followed_is_noticed(machine: Machine, service: int) -> None:
    with publishing() as engine, started(Forwarding(machine, engine)) as forwarding:
        engine.run("web", service)
        local, _, _ = forwarding.next()
        engine.disconnect()
        engine.remove("web")
        assert forwarding.next() == (local, "web", False)


def test_a_container_that_starts_again_leaves_its_own_number_to_the_program_that_had_it(machine: Machine) -> None:
    with publishing() as engine, started(Forwarding(machine, engine)) as forwarding:
        with bound_socket("127.0.0.1", 0) as taken:
            number = taken.getsockname()[1]
            engine.run("web", number)
            local, _, _ = forwarding.next()
            engine.remove("web")
            assert forwarding.next() == (local, "web", False)
        # The program starts again, too.
        engine.run("web", number)
        assert forwarding.next() == (local, "web", True)
        bound_socket("127.0.0.1", number).close()
        engine.run("other", number)
        assert forwarding.next() == (number, "other", True)


def test_containers_get_no_number_below_1024(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with ExitStack() as listening:
        [number] = unused_here(1, "127.0.0.2", listening)
        monkeypatch.setattr(open_ports, "UNPRIVILEGED", number + 1)
        with publishing() as engine, started(Forwarding(machine, engine), Wish("localhost", number)) as forwarding:
            assert forwarding.next() == (number, "", True)
        with publishing() as engine, started(Forwarding(machine, engine)) as forwarding:
            engine.run("web", number)
            local, *_ = forwarding.next()
            assert local > number
            said = f"Port {number} of this computer is below 1024: using {local} instead for web"
            assert forwarding.console.warnings == [said]


def test_it_ends_once_its_machine_is_removed_also_without_an_event(machine: Machine, service: int) -> None:
    with started(Forwarding(machine), free(service)) as forwarding:
        local, _, _ = forwarding.next()
        assert machinectl("rm", "--forget", "-y", machine.name, store=store_of(machine).root).returncode == 0
        with pytest.raises(NoSuchMachine, match=r'^"orion" does not exist any more$'):
            forwarding.running.result(PATIENCE)
    with pytest.raises(ConnectionRefusedError):
        received(local)


def test_it_goes_on_under_the_new_name_of_a_renamed_machine(machine: Machine, sshd: Sshd, service: int) -> None:
    store = store_of(machine)
    with publishing() as engine:
        with store.writing(machine.name) as held:
            held.machine.url, held.machine.tls = engine.url, False
            held.write()
        forwarding = Forwarding(machine)
        containers = FollowedContainers(forwarding.present.endpoint)
        forwarding.forwarder = PortForwarder(
            forwarding.present, forwarding.console, Login(), forwarding.ports, containers
        )
        renamed = forwarding.said('"orion" is "vega" now: its ports stay open')
        again = forwarding.said('Connected to "vega" again')
        with started(forwarding):
            assert machinectl("rename", machine.name, "vega", store=store.root).returncode == 0
            assert renamed.wait(PATIENCE)
            engine.run("web", service)
            local, _, _ = forwarding.next()
            sshd.disconnect()
            assert again.wait(PATIENCE)
            assert received(local) == b"hello\n"


def test_only_the_containers_that_were_named_are_forwarded(machine: Machine, service: int) -> None:
    with publishing() as engine, started(Forwarding(machine, engine, ("web",))) as forwarding:
        engine.run("other", service)
        engine.run("web", service)
        assert forwarding.next()[1] == "web"
        assert forwarding.reports.empty()


def test_udp_is_mentioned_once_with_the_reason(machine: Machine) -> None:
    with publishing() as engine:
        forwarding = Forwarding(machine, engine)
        said = forwarding.said("SSH carries only TCP")
        with started(forwarding):
            engine.run("dns", 53, kind="udp")
            assert said.wait(PATIENCE)
            engine.disconnect()
            engine.run("web", 8)
            forwarding.next()
    assert forwarding.console.warnings.count("53/udp of dns is not forwarded: SSH carries only TCP") == 1


def test_an_engine_that_publishes_every_port_gets_only_some_of_this_computers(machine: Machine) -> None:
    with publishing() as engine:
        first = 20000
        engine.run("all", *range(first, first + 2 * MOST_PORTS), address="127.0.0.3")
        forwarding = Forwarding(machine, engine)
        with started(forwarding):
            opened = [forwarding.next() for _ in range(MOST_PORTS)]
            assert forwarding.reports.empty()
            # Other programs of this computer may have some of these ports.
            said = [warning for warning in forwarding.console.warnings if "further ones" in warning]
            assert len(said) == 1
            assert said[0].startswith(f"Port {first + MOST_PORTS} and further ones are not forwarded: {MOST_PORTS} of")
            assert {opens for _, _, opens in opened} == {True}


def test_a_lost_connection_is_said_and_opened_again(machine: Machine, sshd: Sshd, service: int) -> None:
    forwarding = Forwarding(machine)
    again = forwarding.said("Connected to")
    with started(forwarding, free(service)):
        local, _, _ = forwarding.next()
        sshd.disconnect()
        assert again.wait(PATIENCE)
        assert received(local) == b"hello\n"
    assert forwarding.console.said == [
        'The connection to "orion" was lost; connecting again',
        'Connected to "orion" again',
    ]


def test_a_key_that_changes_meanwhile_ends_it(machine: Machine, sshd: Sshd, service: int, tmp_path: Path) -> None:
    with started(Forwarding(machine), free(service)) as forwarding:
        sshd.host_keys = [keygen(tmp_path / "another_host_key")]
        sshd.disconnect()
        with pytest.raises(HostKeyRefused):
            forwarding.running.result(PATIENCE)


def test_a_server_that_forbids_forwarding_is_named(machine: Machine, sshd: Sshd, service: int) -> None:
    sshd.configure("AllowTcpForwarding no")
    forwarding = Forwarding(machine)
    said = forwarding.said('The SSH server of "orion" forbids forwarding: administratively prohibited')
    with started(forwarding, free(service)):
        assert received(forwarding.next()[0]) == b""
        assert said.wait(PATIENCE)


def test_a_port_where_nobody_listens_is_said_once(machine: Machine) -> None:
    with bound_socket("127.0.0.1", 0) as unused:
        number = unused.getsockname()[1]
    forwarding = Forwarding(machine)
    said = forwarding.said('"orion" refused a forwarded connection: connect failed: Connection refused')
    with started(forwarding, free(number)):
        local, _, _ = forwarding.next()
        assert {received(local) for _ in range(3)} == {b""}
        assert said.wait(PATIENCE)
    assert len(forwarding.console.warnings) == 1


def test_an_unreachable_host_leaves_nothing(machine: Machine, sshd: Sshd) -> None:
    sshd.close()
    with pytest.raises(SSHError) as caught, started(Forwarding(machine)):
        pass
    assert caught.value.cause == f"{sshd.host} port {sshd.port} refuses the connection: no SSH server listens there"
    assert leftovers() == []
