"""`discover` as it is typed; all of 127.0.0.0/8 is this computer, and a network of it has what a test puts there."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from machinectl.discovery import services
from machinectl.discovery.scan import FoundHost, NetworkScan
from machinectl.discovery.services import FoundService, SpokenProtocol, SweepTarget
from machinectl.fleet.fleet_file import read_fleet
from machinectl.fleet.new_fleet import fleet_text, new_hosts
from machinectl.machines.record import Machine
from tests.support.hostile_ssh import ESCAPES
from tests.support.in_process import machinectl
from tests.support.program import started
from tests.support.real import need
from tests.support.registered import added, register
from tests.support.servers import answer, engine, full, saying, serving, silent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from machinectl.machines.store import Store
    from tests.support.dockerd import Dockerd
    from tests.support.servers import Connection
    from tests.support.sshd import Sshd

    Ports = Callable[[int, int], None]

PLENTY = 10.0
HOSTILE_NAME = "evil\x1b[31m: {driver: none}"


def discovered(store: Store, *targets: SweepTarget, timeout: float = PLENTY) -> NetworkScan:
    found = NetworkScan(store, targets, timeout)
    found.run()
    return found


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> Ports:
    """Set the ports of SSH and of engines."""
    return lambda ssh, engine: monkeypatch.setattr(services, "PORTS", (ssh, engine))


def test_an_ssh_server_is_shown_with_its_key_and_the_machine_that_it_is(store: Store, sshd: Sshd, ports: Ports) -> None:
    register(store, "orionbox", sshd)
    ports(sshd.port, 1)
    done = machinectl("discover", "-v", "127.0.0.0/24", store=store.root)
    assert done.returncode == 0
    headings, line = done.stdout.splitlines()
    assert headings.split() == ["ADDRESS", "NAME", "MACHINE", "SSH", "ENGINE"]
    assert line.startswith("127.0.0.1 ")
    assert "orionbox" in line
    assert f"ED25519 {sshd.fingerprint()}" in line


def test_an_open_engine_is_flagged_for_what_it_is(store: Store, ports: Ports) -> None:
    with serving(engine, host="127.0.7.9") as port:
        ports(1, port)
        done = machinectl("discover", "127.0.7.9", "127.0.7.8-10", store=store.root)
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == ["127.0.7.9"]
    assert "ROOT FOR ANYBODY" in done.stdout
    assert "Anyone who reaches these engines is root on their hosts" in done.stderr


def test_json_tells_all_of_each_port(store: Store, dockerd: Dockerd, ports: Ports) -> None:
    machine = Machine("remote", "none", url=f"tcp://127.0.0.2:{dockerd.port}", tls=True)
    machine.driver_state = json.dumps({"URL": machine.url})
    added(store, machine)
    ports(1, dockerd.port)
    done = machinectl("discover", "--json", "127.0.0.1-4", store=store.root)
    one, other = json.loads(done.stdout)
    assert (one["Address"], one["Machines"], other["Address"], other["Machines"]) == (
        *("127.0.0.1", []),
        *("127.0.0.2", ["remote"]),
    )
    (port,) = one["Ports"]
    assert "orion.local" in port.pop("CertificateNames")
    assert port == {
        "Port": dockerd.port,
        "Speaks": "tls",
        "Said": "",
        "KeyType": "",
        "Fingerprint": "",
        "TLS": True,
        "WantsCertificate": True,
        "OpenToAnybody": False,
    }


def test_a_machine_whose_url_has_a_name_is_found_at_its_address(store: Store) -> None:
    machine = Machine("here", "none", url="tcp://localhost:2376", tls=True)
    machine.driver_state = json.dumps({"URL": machine.url})
    added(store, machine)
    with serving(silent) as port:
        (host,) = discovered(store, SweepTarget("127.0.0.1", port), timeout=0.1).hosts()
    assert host.machines == ["here"]


def test_nothing_found_is_no_error(store: Store, ports: Ports) -> None:
    ports(1, 2)
    done = machinectl("discover", "127.0.7.0/30", store=store.root)
    assert (done.returncode, done.stdout) == (0, "")
    assert "Nothing answers at 127.0.7.0/30, ports 1 and 2\n" in done.stderr
    done = machinectl("discover", "--json", "127.0.7.0/30", store=store.root)
    assert (done.returncode, done.stdout) == (0, "[]\n")


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ([], "The network is missing"),
        (["192.168.0.0/33"], "is not a network"),
        (["127.0.0.1", "-t", "nan"], "takes seconds from 0.05 to 600, not 'nan'"),
        (["127.0.0.1", "-t", "0"], "takes seconds from 0.05 to 600, not '0'"),
    ],
    ids=str,
)
def test_what_is_wrong_is_a_usage_error_with_what_to_type(store: Store, words: list[str], cause: str) -> None:
    done = machinectl("discover", *words, store=store.root)
    assert (done.returncode, done.stdout) == (2, "")
    assert cause in done.stderr
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.parametrize("network", ["10.0.0.0/19", "fd00::/115"])
def test_more_than_a_slash_20_asks(store: Store, network: str) -> None:
    done = machinectl("discover", network, store=store.root)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"machinectl discover --yes {network}" in done.stderr


def test_what_hosts_say_is_harmless(store: Store, ports: Ports) -> None:
    said = answer(b"", headers="Server: Docker/99 X\r\n").replace(b"X", ESCAPES)
    with serving(saying(said)) as port:
        ports(1, port)
        table = machinectl("discover", "127.0.0.1", store=store.root)
        as_json = machinectl("discover", "--json", "127.0.0.1", store=store.root)
    assert "Docker/" in table.stdout
    assert all(line.isprintable() for line in (table.stdout + as_json.stdout + table.stderr).splitlines())


def test_interrupted_it_prints_what_was_found_so_far(store: Store) -> None:
    need(root=True)  # for port 22
    found = threading.Event()

    def watched(connection: Connection) -> None:
        try:
            connection.send(b"220 ready\r\n")
            connection.hold()
        finally:
            # It was looked at, and the connection closed, or reset.
            found.set()

    with serving(watched, host="127.0.7.3", port=22), full("127.0.7.4", 2376):
        words = ["discover", "127.0.7.3-4", "-t", "60"]
        with started(*words, store=store.root, stdout=subprocess.PIPE) as process:
            assert found.wait(20)
            process.send_signal(signal.SIGINT)
            printed, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"127.0.7.3" in printed


def host(address: str, *services: FoundService, name: str = "", machines: tuple[str, ...] = ()) -> FoundHost:
    return FoundHost(address, {service.port: service for service in services}, name, list(machines))


SSH = FoundService(22, SpokenProtocol.SSH, "SSH-2.0-OpenSSH_10.0")
OPEN = FoundService(2376, SpokenProtocol.ENGINE, "Docker/28.2", is_open=True)
TLS = FoundService(2376, SpokenProtocol.TLS, tls=True, asks=True)


def test_the_file_that_is_written_is_a_fleets_file_of_what_is_new(tmp_path: Path) -> None:
    found, left_out = new_hosts(
        [
            host("192.168.0.29", SSH, name="orion.lan"),
            host("192.168.0.30", SSH, machines=("mine",)),
            host("192.168.0.31", FoundService(22, SpokenProtocol.SSH, HOSTILE_NAME), TLS, name="mine.lan"),
            host("192.168.0.32", OPEN, name=HOSTILE_NAME),
            host("192.168.0.33", FoundService(2376, SpokenProtocol.UNKNOWN, "nginx")),
            host("fd00::29", SSH, name="29.lan"),
        ],
        ["mine"],
    )
    path = tmp_path / "fleet.yaml"
    path.write_text(fleet_text(found, left_out))
    fleet = read_fleet(str(path), ["mine"], {})
    said = {each.name: (each.spec.driver, dict(each.spec.options)) for each in fleet.hosts}
    assert list(said) == ["orion", "host-192-168-0-31", "host-fd00--29"]
    assert said["orion"][0] == "generic"
    assert said["orion"][1]["generic-ip-address"] == "192.168.0.29"
    written = path.read_text()
    assert "WARNING: whoever reaches tcp://192.168.0.32:2376 is root" in written
    assert "driver: none, url: tcp://192.168.0.31:2376, tls-dir:" in written
    assert "\x1b" not in written


def test_two_hosts_of_one_name_get_two() -> None:
    found, _ = new_hosts([host("10.0.0.1", SSH, name="a.lan"), host("10.0.0.2", SSH, name="a.lan")], [])
    assert [each.name for each in found] == ["a", "host-10-0-0-2"]


def test_a_file_that_is_there_stays_and_none_is_written_for_machines(
    store: Store, sshd: Sshd, ports: Ports, tmp_path: Path
) -> None:
    ports(sshd.port, 1)
    path = tmp_path / "fleet.yaml"
    first = machinectl("discover", "127.0.0.1", "--write", path, store=store.root)
    assert first.returncode == 0
    assert [each.name for each in read_fleet(str(path), [], {}).hosts]
    before = path.read_bytes()
    second = machinectl("discover", "127.0.0.1", "--write", path, store=store.root)
    assert (second.returncode, second.stdout, path.read_bytes()) == (1, "", before)
    assert "exists already" in second.stderr
    register(store, "orionbox", sshd)
    third = machinectl("discover", "127.0.0.1", "--write", tmp_path / "new.yaml", store=store.root)
    assert (third.returncode, (tmp_path / "new.yaml").exists()) == (0, False)
    assert "Nothing is new" in third.stderr
