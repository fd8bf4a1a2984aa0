"""What doctor says of each of a machine's addresses, and the command that mends it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from machinectl import certs, engine
from machinectl.cli.main import run_command_line
from machinectl.doctor.check import Verdict
from machinectl.doctor.each_address import address_checks, look_at_addresses, without_address
from machinectl.errors import elsewhere
from machinectl.hosts.connection.login import Access
from machinectl.hosts.connection.machine_driver import endpoint_of
from machinectl.machines import answered_address
from machinectl.machines.answered_address import AddressNews
from machinectl.machines.record import Machine, Phase
from tests.hosts.test_answering_host import at_another_address, leads_to
from tests.support import servers
from tests.support.quiet import Quiet
from tests.support.registered import added
from tests.support.servers import serving
from tests.support.several_addresses import Certificates, orion
from tests.support.sshd import keygen

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.doctor.check import Check
    from machinectl.machines.store import Store
    from tests.support.servers import Behaviour, Connection
    from tests.support.sshd import Sshd

LAN, VPN = "127.0.0.1", "127.0.0.2"
TIMEOUT = 5.0
# Server certificates are valid for 820 days, CAs for ten years.
LONG_AGO = datetime.now(UTC) - timedelta(days=1000)
OK, BROKEN, UNKNOWN = Verdict.OK, Verdict.BROKEN, Verdict.UNKNOWN

pytestmark = pytest.mark.usefixtures("ssh_config")


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    ca = certs.new_ca("orion's CA", now=LONG_AGO)
    return Certificates(tmp_path, ca, certs.issue_client(ca, "client"))


def engine_with(its_id: str) -> Behaviour:
    def behaviour(connection: Connection) -> None:
        while request := connection.request():
            path = request.split()[1]
            said = json.dumps({"ID": its_id}).encode() if path == b"/info" else servers.VERSION
            connection.send(servers.answer(said))

    return behaviour


def seen(machine: Machine, its_id: str = "") -> list[Check]:
    return list(address_checks(machine, look_at_addresses(machine, Quiet(), Access(), TIMEOUT), its_id))


def test_each_address_is_named_with_what_answers_there(store: Store, made: Certificates) -> None:
    with (
        serving(servers.engine, made.server(LAN, VPN), LAN) as port,
        serving(servers.engine, made.server(LAN, VPN), VPN, port),
    ):
        checks = seen(orion(store, made, port, LAN, VPN))
    assert [(check.verdict, check.seen) for check in checks] == [
        (OK, f"{host}: the engine answers, with a certificate for it") for host in (LAN, VPN)
    ]


def test_the_address_of_the_url_may_be_listed_twice() -> None:
    machine = Machine("orion", "none", url="tcp://127.0.0.1:1", addresses=[LAN])
    assert seen(machine) == []


def test_a_machine_with_one_address_has_no_such_checks(store: Store, made: Certificates) -> None:
    assert seen(orion(store, made, 1, LAN)) == []


def test_an_address_that_does_not_answer_can_be_removed(store: Store, made: Certificates) -> None:
    with serving(servers.engine, made.server(LAN), LAN) as port:
        [_, silent] = seen(orion(store, made, port, LAN, VPN))
    assert (silent.verdict, f"{VPN}:{port} refuses the connection" in silent.seen) == (UNKNOWN, True)
    assert silent.hint == "If the host no longer has this address: machinectl set --address '' orion"


def test_a_certificate_that_does_not_name_the_address_is_made_anew(store: Store, made: Certificates) -> None:
    with (
        serving(servers.engine, made.server(LAN), LAN) as port,
        serving(servers.engine, made.server(LAN), VPN, port),
    ):
        machine = orion(store, made, port, LAN, VPN)
        [_, check] = seen(machine)
        machine.access = {"by": "bob@desk", "asked": "rigel", "called": "vega", "state": "granted"}
        [_, shared] = seen(machine)
    assert check.verdict is BROKEN
    assert check.seen == f"{VPN}: an engine answers, but its certificate does not name this address"
    assert f"--san {VPN}" in check.hint
    assert shared.hint == elsewhere("Ask bob@desk to type: machinectl provision vega")


def test_another_engine_at_the_address_of_the_url_gives_way_to_one_that_answers(
    store: Store, made: Certificates
) -> None:
    stranger = made.server(LAN, ca=certs.new_ca("another CA"))
    with (
        serving(servers.engine, made.server(VPN), VPN) as port,
        serving(servers.engine, stranger, LAN, port),
    ):
        machine = orion(store, made, port, LAN, "127.0.0.3", VPN)
        [foreign, *_] = seen(machine)
    assert foreign.verdict is BROKEN
    assert foreign.seen == f"{LAN}: another engine or server answers: its certificate is from another CA"
    command = f"set --address 127.0.0.3 --url tcp://{VPN}:{port} orion"
    assert foreign.hint == f"machinectl skips it. If the host no longer has this address: machinectl {command}"
    assert run_command_line(["-s", store.root, *command.split()]) == 0
    assert (store.read("orion").url, store.read("orion").addresses) == (f"tcp://{VPN}:{port}", ["127.0.0.3"])


def test_an_owner_who_has_ended_the_access_is_named_at_each_address(store: Store, made: Certificates) -> None:
    stranger = made.server(LAN, VPN, ca=certs.new_ca("orion's new CA"))
    with serving(servers.engine, stranger, LAN) as port, serving(servers.engine, stranger, VPN, port):
        machine = orion(store, made, port, LAN, VPN)
        machine.access = {"by": "bob@desk", "asked": "orion", "who": "alice", "state": "granted"}
        checks = seen(machine)
    assert [check.seen for check in checks] == [
        f"{host}:{port} refuses this computer: bob@desk has ended its access to it, or made a new CA"
        for host in (LAN, VPN)
    ]
    assert "machinectl access request --for alice orion" in checks[0].hint


def test_an_expired_certificate_is_not_another_engines(
    store: Store, made: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answered_address, "NEWS", AddressNews())
    expired = made.server(LAN, VPN, now=LONG_AGO)
    with serving(servers.engine, expired, LAN) as port, serving(servers.engine, expired, VPN, port):
        machine = orion(store, made, port, LAN, VPN)
        checks = seen(machine)
        assert "has expired" in engine.probe(endpoint_of(machine), TIMEOUT).error
    assert answered_address.NEWS.skipped == {}
    assert [check.verdict for check in checks] == [BROKEN, BROKEN]
    assert all("has expired" in check.seen and "make a new one" in check.hint for check in checks)


def test_another_engine_of_the_same_ca_is_told_by_its_id(store: Store, made: Certificates) -> None:
    """Such as one with certificates of a company's CA."""
    with (
        serving(engine_with("AAAA"), made.server(LAN, VPN), LAN) as port,
        serving(engine_with("BBBB"), made.server(LAN, VPN), VPN, port),
    ):
        machine = orion(store, made, port, LAN, VPN)
        assert [check.verdict for check in seen(machine)] == [OK, BROKEN]
        [lan, vpn] = seen(machine, its_id="BBBB")
    assert (lan.verdict, vpn.verdict) == (BROKEN, OK)
    assert "another engine answers, with the same CA: its ID is AAAA, not BBBB" in lan.seen


def test_another_host_is_told_by_its_ssh_key(store: Store, sshd: Sshd, another_sshd: Sshd) -> None:
    machine = at_another_address(store, sshd).read("orion")
    another_sshd.host_keys = [keygen(another_sshd.directory / "own_host_key")]
    with serving(leads_to(another_sshd.port), host="127.0.0.3", port=sshd.port):
        [foreign, own] = seen(machine)
    assert (foreign.verdict, own.verdict) == (BROKEN, UNKNOWN)
    assert foreign.seen == "127.0.0.3: another host answers: its SSH key is not that of orion"
    assert own.seen.startswith("127.0.0.1: the machine's host answers over SSH, its engine does not: ")
    assert "userauth-request" not in another_sshd.log


@pytest.mark.parametrize(
    ("host", "command"),
    [
        ("10.8.0.29", "--address orion.vpn"),
        ("192.0.2.1", "--address 10.8.0.29 --url tcp://orion.vpn:2376"),
    ],
)
def test_the_command_that_takes_an_address_out_keeps_the_others(host: str, command: str) -> None:
    machine = Machine("orion", "none", url="tcp://192.0.2.1:2376", tls=True, addresses=["10.8.0.29", "orion.vpn"])
    assert without_address(machine, host, ["orion.vpn"]) == f"machinectl set {command} orion"


def test_an_engine_over_ssh_moves_by_its_drivers_option(store: Store) -> None:
    state = {"IPAddress": "192.0.2.1", "SSHHost": "192.0.2.1", "SSHUser": "ops", "SSHPort": 22, "EnginePort": 2376}
    machine = Machine("orion", "generic", url="ssh://ops@192.0.2.1", addresses=["10.8.0.29"], phase=Phase.READY)
    machine.driver_state = json.dumps(state)
    added(store, machine)
    command = without_address(store.read("orion"), "192.0.2.1", [])
    assert command == "machinectl set --address '' --generic-ip-address 10.8.0.29 orion"
