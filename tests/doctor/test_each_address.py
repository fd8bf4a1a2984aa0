"""What doctor says of each of a machine's addresses, and the command that mends it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl import certs, engine
from machinectl.check import Check, Verdict
from machinectl.doctor.engine_connectivity import address_checks, look_at_addresses, without_address
from machinectl.doctor.host_condition import Shell
from machinectl.doctor.host_login import Inside, own_url
from machinectl.doctor.machine_checks import check_machine, of_whose_engine
from machinectl.errors import DOCTOR, Hint
from machinectl.hosts.login import Login
from machinectl.machines import answered_address
from machinectl.machines.answered_address import AddressNews
from machinectl.machines.machine_driver import endpoint_of
from machinectl.machines.record import Machine, Phase
from machinectl.provision.facts.host_facts import parse_facts
from tests.hosts.test_answering_host import leads_to
from tests.support import servers
from tests.support.quiet import Quiet
from tests.support.registered import added, register
from tests.support.servers import serving
from tests.support.several_addresses import Certificates, orion
from tests.support.sshd import keygen

if TYPE_CHECKING:
    from machinectl.machines.store import Store
    from tests.support.sshd import Sshd

LAN, VPN = "127.0.0.1", "127.0.0.2"
TIMEOUT = 5.0
FACTS = Path(__file__).parents[1] / "provision" / "facts"
# Server certificates are valid for 820 days, CAs for ten years.
LONG_AGO = datetime.now(UTC) - timedelta(days=1000)
OK, BROKEN, UNKNOWN = Verdict.OK, Verdict.BROKEN, Verdict.UNKNOWN

pytestmark = pytest.mark.usefixtures("ssh_config")


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    ca = certs.new_ca("orion's CA", now=LONG_AGO)
    return Certificates(tmp_path, ca, certs.issue_client(ca, "client"))


def seen(machine: Machine) -> list[Check]:
    return list(address_checks(machine, look_at_addresses(machine, TIMEOUT)))


def test_each_address_is_named_with_what_answers_there(store: Store, made: Certificates) -> None:
    with (
        serving(servers.engine, made.server(LAN, VPN), LAN) as port,
        serving(servers.engine, made.server(LAN, VPN), VPN, port),
    ):
        checks = seen(orion(store, made, port, LAN, VPN))
    assert [(check.verdict, check.seen) for check in checks] == [
        (OK, f"{host}: the engine answers with a certificate for this address") for host in (LAN, VPN)
    ]


def test_a_machine_with_one_address_has_no_such_checks(store: Store, made: Certificates) -> None:
    assert seen(orion(store, made, 1, LAN)) == []
    assert seen(Machine("twice", "none", url="tcp://127.0.0.1:1", addresses=[LAN])) == []


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
    assert shared.hint == "Ask bob@desk to type: machinectl provision vega"


def test_another_engine_at_the_address_of_the_url_is_told_of(store: Store, made: Certificates) -> None:
    stranger = made.server(LAN, ca=certs.new_ca("another CA"))
    with (
        serving(servers.engine, made.server(VPN), VPN) as port,
        serving(servers.engine, stranger, LAN, port),
    ):
        machine = orion(store, made, port, LAN, "127.0.0.3", VPN)
        [foreign, *_] = seen(machine)
    assert foreign.verdict is BROKEN
    assert foreign.seen == f"{LAN}: another engine or server answers: its certificate is from another CA"
    assert foreign.hint == "If the host of orion has another address now: machinectl set --url <URL> orion"


@pytest.mark.parametrize("access", [{}, {"by": "bob@desk", "asked": "orion", "who": "alice", "state": "granted"}])
def test_another_server_at_one_address_is_named_and_no_hint_leads_to_it(
    store: Store, made: Certificates, access: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answered_address, "NEWS", AddressNews())
    with serving(servers.engine, made.server(VPN, ca=certs.new_ca("another CA")), VPN) as port:
        machine = orion(store, made, port, LAN, VPN)
        machine.access = access
        found = engine.probe(endpoint_of(machine), TIMEOUT)
    assert f"Another server answers at {VPN}:{port}: its certificate is from another CA" in found.error
    assert found.hint == "See its addresses: machinectl doctor orion"
    assert "bob@desk" not in found.error


def test_no_hint_of_doctor_takes_over_another_host_at_the_only_address(
    store: Store, made: Certificates, sshd: Sshd, another_sshd: Sshd
) -> None:
    register(store, "orion", sshd)
    another_sshd.host_keys = [keygen(another_sshd.directory / "own_host_key")]
    with serving(servers.engine, made.server(LAN, ca=certs.new_ca("another CA")), LAN) as port:
        with store.writing("orion") as held:
            state = {"SSHPort": another_sshd.port, "EnginePort": port}
            held.machine.driver_state = json.dumps(json.loads(held.machine.driver_state) | state)
            held.machine.url, held.machine.tls = f"tcp://{LAN}:{port}", True
            held.write()
            server = certs.issue_server(made.ca, [LAN]).certificate
            for file, content in (made.files | {"server.pem": server}).items():
                held.write_file(file, content)
        checks = check_machine(store, Quiet(), "orion", Login(), TIMEOUT)
    hints = {check.title: check.hint for check in checks if check.verdict is BROKEN}
    assert not any("provision --force" in hint for hint in hints.values())
    moved = "If the host of orion has another address now: machinectl set --ip-address <ADDRESS> orion"
    assert hints["TLS"] == hints["Served certificate"] == moved
    assert moved[1:] in hints["SSH and host key"]


def test_doctor_takes_over_the_machines_own_host_with_the_certificates_of_others(
    store: Store, made: Certificates
) -> None:
    machine = Machine("orion", "generic", url=f"tcp://{LAN}:2376", tls=True, phase=Phase.READY)
    machine.driver_state = json.dumps({"IPAddress": LAN, "SSHUser": "ops", "SSHPort": 22, "EnginePort": 2376})
    machine = added(store, machine, made.files)
    foreign = Check(
        "TLS", BROKEN, "from another CA", Hint("See whose it is", "machinectl doctor orion"), leads_to=DOCTOR
    )
    facts = parse_facts((FACTS / "provisioned").read_bytes())
    own, unknown = (
        of_whose_engine(foreign, machine, Inside((), Shell("orion"), known)).hint for known in (facts, None)
    )
    assert own.endswith("certs import orion <DIR>; or take its host over: machinectl provision --force orion")
    assert unknown.endswith("certs import orion <DIR>")
    lost = of_whose_engine(foreign, machine, Inside((), Shell("orion"), facts, lost_to="another machinectl")).hint
    assert lost.startswith("Forget this machine, and leave the host to its owner: machinectl rm --forget orion;")


@pytest.mark.parametrize("is_same", [True, False])
def test_a_url_that_leads_to_another_host_than_the_login_is_set_right(
    store: Store, sshd: Sshd, another_sshd: Sshd, is_same: bool
) -> None:
    machine = register(store, "orion", sshd)
    machine.url = "tcp://127.0.0.3:2376"
    another_sshd.host_keys = [keygen(another_sshd.directory / "own_host_key")]
    with serving(leads_to(sshd.port if is_same else another_sshd.port), host="127.0.0.3", port=sshd.port):
        own = own_url(machine, Quiet(), Login(), TIMEOUT)
    assert own == ("" if is_same else "tcp://127.0.0.1:2376")
    served = Check(
        "Served certificate", BROKEN, "another one", Hint("Restart the engine", "machinectl ssh orion restart")
    )
    hint = of_whose_engine(served, machine, Inside((), Shell("orion"), own_url=own)).hint
    assert hint.endswith("ssh orion restart" if is_same else ": machinectl set --url tcp://127.0.0.1:2376 orion")


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


def test_the_command_that_takes_an_address_out_keeps_the_others() -> None:
    machine = Machine("orion", "none", url="tcp://192.0.2.1:2376", tls=True, addresses=["10.8.0.29", "orion.vpn"])
    assert without_address(machine, "10.8.0.29").endswith(": machinectl set --address orion.vpn orion")
