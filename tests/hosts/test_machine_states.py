"""The state of machines, from drivers and engines: a driver cannot block anything."""

from __future__ import annotations

import errno
import json
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from machinectl.driver import DriverError, SSHEndpoint
from machinectl.hosts.query_engines import state_of, states_of
from machinectl.machines.record import Machine
from machinectl.state import State
from tests.support import servers
from tests.support.driver import StandIn
from tests.support.in_process import machinectl
from tests.support.registered import register

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from machinectl.machines.store import Store
    from tests.support.servers import Behaviour
    from tests.support.sshd import SSHConfig, Sshd


@pytest.fixture
def machine() -> Iterator[Machine]:
    """A machine whose engine answers."""
    with servers.serving(servers.engine) as port:
        yield Machine("orion", "fake", url=f"tcp://127.0.0.1:{port}")


@pytest.mark.parametrize("state", [State.STOPPED, State.PAUSED, State.SAVED])
def test_an_engine_that_the_driver_knows_to_be_off_is_not_asked(use: Callable[[StandIn], None], state: State) -> None:
    use(StandIn(knows=lambda: state))
    with servers.serving(servers.silent) as port:
        found = state_of(Machine("orion", "fake", url=f"tcp://127.0.0.1:{port}"), timeout=60)
    assert (found.state, found.error) == (state, "")


def failing() -> State | None:
    raise DriverError("the cloud is down")


@pytest.mark.parametrize("knows", [lambda: None, lambda: State.RUNNING, failing, None])
def test_the_engine_of_a_host_that_may_be_up_is_asked(
    use: Callable[[StandIn], None], machine: Machine, knows: Callable[[], State | None] | None
) -> None:
    # Without it, the driver is not installed.
    if knows:
        use(StandIn(knows=knows))
    found = state_of(machine, timeout=60)
    assert found.state is State.RUNNING
    assert found.version


def test_a_driver_that_never_answers_keeps_no_other_machine_waiting(use: Callable[[StandIn], None]) -> None:
    for_ever = threading.Event()
    held_up = iter([True, False])

    def answer() -> State | None:
        if next(held_up):
            for_ever.wait(60)
        return State.STOPPED

    use(StandIn(knows=answer))
    machines = [Machine("first", "fake", url="tcp://127.0.0.1:1"), Machine("second", "fake", url="tcp://127.0.0.1:1")]
    found = {name: probe.state for name, probe in states_of(machines, timeout=0.5)}
    assert sorted(found.values()) == [State.STOPPED, State.TIMEOUT]
    for_ever.set()


HERE = "127.0.0.1"
# Long enough for a machine under load to answer; where nobody does, it passes.
WHILE = 2.0


def seen(use: Callable[[StandIn], None], engine: int, ssh: int | None, scheme: str = "tcp") -> tuple[State, str]:
    """What is said of a machine whose engine and SSH are at these ports."""
    use(StandIn(SSHEndpoint(HERE, "ops", ssh) if ssh else None))
    found = state_of(Machine("orion", "fake", url=f"{scheme}://{HERE}:{engine}"), WHILE)
    return found.state, f"{found.error} | {found.hint}"


@pytest.mark.usefixtures("ssh_config")
def test_a_host_whose_engine_and_ssh_are_silent_is_off(use: Callable[[StandIn], None]) -> None:
    with servers.full() as engine, servers.full() as ssh:
        state, said = seen(use, engine, ssh)
        assert seen(use, engine, None)[0] is State.TIMEOUT
    assert state is State.STOPPED
    assert f"Nothing answers at {HERE}:{engine}, nor at its SSH" in said
    assert "machinectl start orion" in said


@pytest.mark.usefixtures("ssh_config")
@pytest.mark.parametrize("ssh", [lambda: servers.serving(servers.silent), servers.unlistened])
def test_a_host_whose_ssh_accepts_or_refuses_a_connection_is_not_off(
    use: Callable[[StandIn], None], ssh: Callable[[], AbstractContextManager[int]]
) -> None:
    with servers.full() as engine, ssh() as port:
        state, said = seen(use, engine, port)
    assert (state, "firewall lets port" in said) == (State.TIMEOUT, True)


@pytest.mark.parametrize("option", ["ProxyJump gate.invalid", "ProxyCommand false"])
def test_a_host_behind_a_jump_host_is_not_taken_to_be_off(
    use: Callable[[StandIn], None], ssh_config: SSHConfig, option: str
) -> None:
    ssh_config.write(f"Host {HERE}\n  {option}")
    with servers.full() as engine, servers.full() as ssh:
        assert seen(use, engine, ssh)[0] is State.TIMEOUT


@pytest.mark.usefixtures("ssh_config")
@pytest.mark.parametrize("behaviour", [servers.silent, servers.closing, servers.saying(b"SMTP ready\r\n")])
def test_a_host_that_accepts_the_engines_connection_is_on(use: Callable[[StandIn], None], behaviour: Behaviour) -> None:
    with servers.serving(behaviour) as engine, servers.full() as ssh:
        assert seen(use, engine, ssh)[0] in {State.TIMEOUT, State.ERROR}


@pytest.mark.usefixtures("ssh_config")
def test_a_host_that_refuses_the_connection_is_up_whatever_ssh_does(use: Callable[[StandIn], None]) -> None:
    with servers.unlistened() as engine, servers.full() as silent:
        state, said = seen(use, engine, silent)
    assert (state, "nothing listens there" in said) == (State.STOPPED, True)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (errno.EHOSTUNREACH, State.STOPPED),
        # This computer's own network is down.
        (errno.ENETUNREACH, State.ERROR),
    ],
)
@pytest.mark.usefixtures("ssh_config")
def test_a_host_without_a_route_is_off(
    use: Callable[[StandIn], None], monkeypatch: pytest.MonkeyPatch, error: int, state: State
) -> None:
    def connect(*_: object) -> None:
        raise OSError(error, "")

    monkeypatch.setattr(socket.socket, "connect", connect)
    assert seen(use, 1, 2)[0] is state


@pytest.mark.usefixtures("ssh_config")
@pytest.mark.parametrize(
    ("port", "told"), [(servers.full, "Nothing answers"), (servers.unlistened, "Connection refused")]
)
def test_an_ssh_engine_is_stopped_if_ssh_does_not_answer(
    use: Callable[[StandIn], None], port: Callable[[], AbstractContextManager[int]], told: str
) -> None:
    with port() as ssh:
        state, said = seen(use, ssh, ssh, scheme="ssh")
    assert (state, told in said) == (State.STOPPED, True), said


@pytest.mark.usefixtures("ssh_config")
def test_ssh_is_not_checked_if_the_engine_answers(use: Callable[[StandIn], None], machine: Machine) -> None:
    asked = threading.Event()
    with servers.serving(lambda _: asked.set()) as ssh:
        use(StandIn(SSHEndpoint(HERE, "ops", ssh)))
        assert state_of(machine, timeout=60).state is State.RUNNING
    assert not asked.is_set()


@pytest.mark.usefixtures("ssh_config")
def test_the_machines_that_are_off_are_listed_as_such_and_may_be_started(store: Store, sshd: Sshd) -> None:
    """`machinectl start $(machinectl ls -q --filter state=Stopped)`."""
    register(store, "off", sshd)
    register(store, "on", sshd)
    with servers.full() as engine, servers.full() as ssh:
        for name, way in (("off", ssh), ("on", sshd.port)):
            with store.writing(name) as held:
                held.machine.url, held.machine.tls = f"tcp://{HERE}:{engine}", False
                held.machine.driver_state = json.dumps({**json.loads(held.machine.driver_state), "SSHPort": way})
                held.write()
        listed = machinectl("ls", "-q", "-t", str(WHILE), "--filter", "state=Stopped", store=store.root)
        assert (listed.stdout, listed.returncode) == ("off\n", 0)
        assert machinectl("url", "off", store=store.root).stdout == f"tcp://{HERE}:{engine}\n"
        started = machinectl("start", "--dry-run", *listed.stdout.split(), store=store.root)
        assert "running already" not in started.stderr + started.stdout


def test_checking_whether_a_host_is_off_imports_nothing_heavy() -> None:
    code = """if True:
        import sys
        from machinectl.engine.endpoint import Deadline
        from machinectl.hosts.query_engines import is_silent
        from machinectl.driver import SSHEndpoint
        is_silent([SSHEndpoint("127.0.0.1", "ops", 1)], Deadline(9))
        print(*{"paramiko", "cryptography"} & set(sys.modules))
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "\n"
