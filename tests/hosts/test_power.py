"""A host's power: who is asked, what is waited for, and what is said where neither driver nor host can do it."""

from __future__ import annotations

import json
import re
import socket
from typing import TYPE_CHECKING

import pytest

from machinectl.driver import SSHEndpoint
from machinectl.errors import MachineError, UsageError
from machinectl.hosts import power as host_power
from machinectl.hosts.login import Login
from machinectl.hosts.power import HostPower, container_count, switch_power
from machinectl.machines.record import Machine
from machinectl.verbs.power import printed
from tests.support import program, servers
from tests.support.driver import StandIn
from tests.support.in_process import machinectl
from tests.support.quiet import Quiet
from tests.support.registered import added, register

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from machinectl.hosts.host_plan import HostPlan
    from machinectl.machines.store import Store
    from tests.support.sshd import SSHConfig, Sshd

# The configuration of whoever runs the tests is not read.
pytestmark = pytest.mark.usefixtures("ssh_config")

MAC = "52:54:00:12:34:56"
HERE = "127.0.0.1"


def add(store: Store, *names: str, mac: str = "") -> None:
    for name in names:
        machine = Machine(name, "fake")
        machine.mac = mac
        added(store, machine)


def closed_port() -> int:
    with socket.create_server((HERE, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def switch(
    store: Store, verb: str, *names: str, console: Quiet | None = None, dry_run: bool = False
) -> Iterator[tuple[str, bool | HostPlan | MachineError]]:
    return switch_power(store, console or Quiet(), verb, names, Login(), timeout=0, dry_run=dry_run)


@pytest.mark.parametrize("version", servers.ENGINES)
def test_the_containers_of_engines_of_any_age_are_counted(version: str) -> None:
    with servers.serving(servers.ENGINES[version]) as port:
        assert container_count(Machine("orion", "none", url=f"tcp://{HERE}:{port}")) == '"orion" runs 2 containers'


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "kill"])
def test_a_driver_with_a_switch_is_told_for_each_machine_also_where_one_fails(
    store: Store, use: Callable[[StandIn], None], verb: str
) -> None:
    use(StandIn())
    add(store, "a", "broken", "c")
    outcomes = dict(switch(store, verb, "c", "nowhere", "broken", "a", "a"))
    assert sorted(StandIn.told) == [f"{verb} a", f"{verb} c"]
    assert (outcomes["a"], outcomes["c"]) == (True, True)
    assert str(outcomes["broken"]) == "its supply is broken"
    assert "does not exist" in str(outcomes["nowhere"])


def test_a_dry_run_refuses_what_the_verb_itself_would(store: Store, sshd: Sshd) -> None:
    register(store, "orion", sshd)
    program.machinectl("create", "-d", "none", "--url", "tcp://192.0.2.1:2376", "--no-tls", "url", store=store.root)
    for verb in ("kill", "start", "stop", "restart"):
        for name in ("orion", "url"):
            foretold = program.machinectl(verb, "--dry-run", name, store=store.root)
            if name == "orion" and verb != "kill":
                nothing = foretold.stdout.startswith('"orion" is running already\n')
                assert (foretold.returncode, nothing) == (0, verb == "start")
            else:
                assert (foretold.returncode, foretold.stdout) == (1, "")
                assert program.machinectl(verb, name, store=store.root).stderr == foretold.stderr


def test_a_host_that_is_off_already_is_not_asked_to_shut_down(store: Store, ssh_config: SSHConfig) -> None:
    ssh_config.write("ConnectTimeout 1")
    with servers.full() as engine, servers.full() as ssh:
        machine = Machine("orion", "generic", url=f"tcp://127.0.0.1:{engine}", tls=True)
        machine.driver_state = json.dumps({"IPAddress": "127.0.0.1", "SSHPort": ssh, "EnginePort": engine})
        added(store, machine)
        stopped = machinectl("stop", "orion", store=store.root)
    assert (stopped.returncode, stopped.stdout) == (0, "")
    assert "is stopped already" in stopped.stderr


def test_what_was_done_is_told_as_docker_machine_does(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    results: list[tuple[str, bool | HostPlan | MachineError]] = [("a", True), ("b", MachineError("no")), ("c", True)]
    assert list(printed("restart", results)) == results
    assert capfdbinary.readouterr().out.decode().splitlines() == [
        'Machine "a" was restarted.',
        'Machine "c" was restarted.',
        "Restarted machines may have new IP addresses. You may need to re-run the `machinectl env` command.",
    ]
    # It is said once that a machine runs already, and not that it was started.
    assert list(printed("start", [("b", MachineError("no")), ("a", False)]))
    assert capfdbinary.readouterr().out == b""


@pytest.mark.parametrize("answer", [None, "y", "n"])
def test_a_host_that_cannot_be_woken_is_stopped_with_a_warning_or_a_question(
    store: Store, use: Callable[[StandIn], None], answer: str | None
) -> None:
    use(StandIn(SSHEndpoint(HERE, port=closed_port()), switch=False, takes_mac=True))
    add(store, "a")
    console = Quiet(*[answer] if answer else [])
    [(_, error)] = switch(store, "stop", "a", console=console)
    assert '"a" cannot be woken' in console.warnings[0]
    assert "machinectl set --fake-mac <MAC> a" in console.warnings[0]
    assert console.asked == (["Stop it?"] if answer else [])
    assert ("left running" if answer == "n" else "refuses the connection") in str(error)


def test_a_host_whose_ssh_answers_is_not_started(store: Store, sshd: Sshd, use: Callable[[StandIn], None]) -> None:
    use(StandIn(SSHEndpoint(HERE, port=sshd.port)))
    add(store, "a")
    console = Quiet()
    assert list(switch(store, "start", "a", console=console)) == [("a", False)]
    assert console.said == ['"a" is running already']
    assert StandIn.told == []


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The network cards that were woken, and on the way to which host."""
    cards: list[tuple[str, str]] = []
    monkeypatch.setattr(host_power, "send_wake_packet", lambda mac, host: cards.append((mac, host)))
    return cards


@pytest.mark.parametrize(("given", "learnt"), [(MAC, ""), ("", MAC), (MAC, "00:00:00:00:00:01")])
def test_a_host_is_woken_by_the_address_that_was_given_or_else_learnt(
    store: Store, use: Callable[[StandIn], None], woken: list[tuple[str, str]], given: str, learnt: str
) -> None:
    use(StandIn(SSHEndpoint(HERE, port=closed_port()), switch=False, mac=given))
    add(store, "a", mac=learnt)
    [(_, error)] = switch(store, "start", "a")
    assert woken == [(MAC, HERE)]
    assert re.match(r'"a" is not back after 0 s: 127.0.0.1 port \d+ refuses the connection', str(error))


def test_a_host_whose_address_nobody_knows_is_not_woken(
    store: Store, use: Callable[[StandIn], None], woken: list[tuple[str, str]]
) -> None:
    use(StandIn(SSHEndpoint(HERE, port=closed_port()), switch=False, takes_mac=True))
    add(store, "a")
    [(_, error)] = switch(store, "start", "a")
    assert isinstance(error, MachineError)
    assert "the MAC address of its network card is not known" in error.cause
    assert "set it: machinectl set --fake-mac <MAC> a" in error.hint
    assert woken == []


def test_a_restart_does_not_wait_for_an_engine_that_did_not_answer_before_and_a_start_does(
    store: Store, use: Callable[[StandIn], None]
) -> None:
    use(StandIn())
    add(store, "a")
    with store.writing("a") as held:
        held.machine.url = f"tcp://{HERE}:{closed_port()}"
        held.write()
    assert list(switch(store, "restart", "a")) == [("a", True)]
    [(_, error)] = switch(store, "start", "a")
    assert str(error).startswith('The host of "a" is back, but not its engine: ')


def power_of(machine: Machine, timeout: float = 0) -> HostPower:
    return HostPower(machine, Quiet(), Login(), timeout)


def test_a_host_that_was_not_shut_down_is_not_back(store: Store, sshd: Sshd) -> None:
    machine = register(store, "orion", sshd)
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        boot = file.read().strip()
    with pytest.raises(MachineError, match='"orion" is not back after 0 s: it has not shut down'):
        power_of(machine).until_booted(boot)


def test_a_host_that_comes_back_with_another_key_is_told_of_at_once(store: Store, sshd: Sshd) -> None:
    machine = register(store, "orion", sshd)
    with store.writing("orion") as held:
        held.write_file("known_hosts", f"machinectl {' '.join(sshd.known(2).split()[1:3])}\n".encode())
    sshd.host_keys = sshd.host_keys[:1]
    with pytest.raises(MachineError, match="has changed"):
        power_of(machine, timeout=600).until_booted()


def test_a_host_that_refuses_has_not_been_switched_off(store: Store, use: Callable[[StandIn], None]) -> None:
    use(StandIn(SSHEndpoint(HERE, port=closed_port())))
    add(store, "a")
    assert power_of(store.read("a")).ssh_answers() is False


def test_the_packet_is_six_bytes_of_ones_and_the_address_sixteen_times() -> None:
    assert host_power.magic_packet("01:23:45:67:89:aB") == b"\xff" * 6 + b"\x01\x23\x45\x67\x89\xab" * 16
    assert host_power.magic_packet("01-23-45-67-89-AB") == host_power.magic_packet("01:23:45:67:89:ab")


@pytest.mark.parametrize("text", ["", "01:23:45:67:89", "01:23:45:67:89:ab:cd", "g1:23:45:67:89:ab"])
def test_what_is_no_address_makes_no_packet(text: str) -> None:
    with pytest.raises(UsageError, match="not a network card's address"):
        host_power.magic_packet(text)


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Where the packet goes: broadcasts do not leave this machine in a test."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as card:
        card.bind((HERE, 0))
        card.settimeout(5)
        monkeypatch.setattr(host_power, "PORT", card.getsockname()[1])
        monkeypatch.setattr(host_power, "EVERYBODY", HERE)
        yield card


def test_the_packet_goes_to_everybody_and_to_the_host_itself(card: socket.socket) -> None:
    host_power.send_wake_packet(MAC, HERE)
    assert [card.recv(200), card.recv(200)] == [host_power.magic_packet(MAC)] * 2


def with_containers(connection: servers.Connection) -> None:
    while connection.request():
        connection.send(servers.answer(b'{"ContainersRunning": 3}'))


@pytest.mark.parametrize("verb", ["stop", "restart"])
@pytest.mark.parametrize(
    ("console", "yes", "done"),
    [
        (Quiet, False, True),
        (lambda: Quiet("n"), True, True),
        (lambda: Quiet("y"), False, True),
        (lambda: Quiet("n"), False, False),
    ],
    ids=["nobody is there", "yes was said before", "yes", "no"],
)
def test_running_containers_are_told_of_and_asked_about_where_somebody_is_there(
    store: Store, use: Callable[[StandIn], None], verb: str, console: Callable[[], Quiet], yes: bool, done: bool
) -> None:
    use(StandIn())
    with servers.serving(with_containers) as port:
        added(store, Machine("a", "fake", url=f"tcp://{HERE}:{port}"))
        said = console()
        [(_, error)] = switch_power(store, said, verb, ["a"], Login(), timeout=0.5, yes=yes)
    assert said.notes[0] == '"a" runs 3 containers'
    assert StandIn.told == ([f"{verb} a"] if done else [])
    if not done:
        assert "was left running" in str(error)
