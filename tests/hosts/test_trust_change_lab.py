"""Whose clients a real engine accepts: holders come and go, and nobody else notices."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl import certs
from machinectl.access.granting import AccessGrant, client_of_holder
from machinectl.engine import Endpoint, probe
from machinectl.hosts.host_owner import SERVER
from machinectl.hosts.login import Login
from machinectl.hosts.trust_change import distrust_cas, plan_trust, trust_ca, without_cas
from machinectl.machines.holders import PERSON
from machinectl.machines.store import Store
from machinectl.provision.client_cas import CLIENTS
from machinectl.provision.facts.host_facts import OWN_CA
from machinectl.provision.target import NOTHING_SPECIAL, Allowed
from machinectl.state import State
from tests.hosts.test_setup_lab import IMAGE, RUN
from tests.hosts.test_upkeep_lab import create, fails, succeeds
from tests.soak_access import STAYING, Soak
from tests.support.program import machinectl
from tests.support.quiet import Quiet

if TYPE_CHECKING:
    from tests.lab.fixtures import FreshHost
    from tests.lab.host import Host

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("ssh_config")]

ALICE, BOB = (certs.new_ca(f"machinectl orion {name}") for name in ("alice", "bob"))
STARTED = "docker inspect -f '{{.State.Pid}} {{.State.StartedAt}}' c1"


class Office:
    """A host whose owner's machine is in a store, and holders with certificates of their own."""

    def __init__(self, host: Host, store: Store, directory: Path) -> None:
        self.host, self.store, self.directory = host, store, directory
        create(store, host)
        self.name = host.name

    def trust_ca(self, ca: certs.Pair, allowed: Allowed = NOTHING_SPECIAL) -> bool:
        with self.store.writing(self.name) as held:
            return trust_ca(held, Quiet(), Login(), ca.certificate, allowed)

    def distrust_cas(self, ca: certs.Pair, allowed: Allowed = NOTHING_SPECIAL) -> bool:
        with self.store.writing(self.name) as held:
            return distrust_cas(held, Quiet(), Login(), {certs.fingerprint(ca.certificate)}, allowed)

    def answers(self, ca: certs.Pair) -> bool:
        """Whether the engine answers a client of a CA."""
        directory = self.directory / certs.fingerprint(ca.certificate)[:16]
        if not directory.exists():
            directory.mkdir()
            client = certs.issue_client(ca, "holder")
            shutil.copy(Path(self.store.directory(self.name)) / "ca.pem", directory)
            (directory / "cert.pem").write_bytes(client.certificate)
            (directory / "key.pem").write_bytes(client.key)
        return self.is_answered(directory)

    def is_answered(self, directory: Path | str) -> bool:
        return (
            probe(Endpoint(f"tcp://{self.host.ip}:2376", tls=True, cert_dir=str(directory)), 5).state is State.RUNNING
        )

    @property
    def owner_is_answered(self) -> bool:
        return self.is_answered(self.store.directory(self.name))

    @property
    def clients(self) -> bytes:
        return self.host.output(f"cat {CLIENTS}; echo .").encode()[:-1]

    @property
    def own_ca(self) -> bytes:
        return (Path(self.store.directory(self.name)) / "ca.pem").read_bytes()

    def began(self) -> str:
        return self.host.output("systemctl show docker -p MainPID -p ExecMainStartTimestampMonotonic")


@pytest.fixture
def office(fresh_host: FreshHost, store: Store, tmp_path: Path) -> Office:
    return Office(fresh_host("docker"), store, tmp_path)


@pytest.mark.long
def test_holders_come_and_go_and_nobody_else_and_no_container_notices(office: Office) -> None:
    host = office.host
    host.run(f"{IMAGE}; {RUN.format('c1')}")
    running = host.output(STARTED)
    assert not office.answers(ALICE)
    assert office.trust_ca(ALICE)
    assert office.answers(ALICE)
    assert office.trust_ca(BOB)
    began = office.began()
    assert not office.trust_ca(ALICE)
    machine = office.store.read(office.name)
    end = without_cas(machine, {certs.fingerprint(ALICE.certificate)})
    planned = plan_trust(office.store, machine, Quiet(), Login(), end, NOTHING_SPECIAL)
    assert [each.details for each in planned.outcomes if f"write {CLIENTS}" in each.details]
    assert office.began() == began
    assert office.distrust_cas(ALICE)
    assert [office.answers(ALICE), office.answers(BOB), office.owner_is_answered] == [False, True, True]
    assert office.clients == office.own_ca + BOB.certificate
    assert host.output(STARTED) == running
    assert host.output("docker info -f '{{.LiveRestoreEnabled}}'; grep -c live-restore /etc/docker/daemon.json; :") == (
        "false\n0"
    )
    # Provisioning leaves the host's list as it is.
    began = office.began()
    assert not succeeds(office.store, "provision", office.name).count("Configuring the engine")
    assert office.began() == began
    assert office.distrust_cas(BOB)
    assert [office.answers(BOB), office.owner_is_answered] == [False, True]
    assert host.output(STARTED) == running
    check_that_nothing_starts_a_stopped_engine(office)
    check_what_was_added_by_hand(office)
    # A certificate that runs out is refused without a restart.
    dora = give(office, "dora", lifetime=10)
    began = office.began()
    assert office.is_answered(dora)
    while office.is_answered(dora):
        pass
    assert office.owner_is_answered
    assert office.began() == began


def check_that_nothing_starts_a_stopped_engine(office: Office) -> None:
    host, stop = office.host, "systemctl stop docker.socket docker.service"
    served = host.output("cat /etc/docker/machinectl/server.pem")
    host.run(stop)
    assert office.trust_ca(ALICE)
    assert office.trust_ca(BOB)
    renewed = machinectl("renew", "--due", "--lifetime-left", "100%", office.name, store=office.store.root)
    assert "the server certificate waits until the engine runs" in renewed.stdout
    assert host.output("systemctl is-active docker || :") == "inactive"
    assert host.output("cat /etc/docker/machinectl/server.pem") == served
    host.run("systemctl start docker")
    assert [office.answers(ALICE), office.answers(BOB), office.owner_is_answered] == [True] * 3
    host.run(stop)
    assert office.distrust_cas(ALICE)
    assert host.output("systemctl is-active docker || :") == "inactive"
    host.run("systemctl start docker")
    assert [office.answers(ALICE), office.answers(BOB), office.owner_is_answered] == [False, True, True]


def check_what_was_added_by_hand(office: Office) -> None:
    """It stays, and a list that the engine has not read is read."""
    host, carol = office.host, certs.new_ca("carol")
    office.trust_ca(ALICE)
    office.trust_ca(BOB)
    by_hand = b"# Carol's laptop\n" + carol.certificate + b"\n# end\n"
    host.run(f"cat >>{CLIENTS}; systemctl restart docker", by_hand)
    assert office.answers(carol)
    assert office.distrust_cas(ALICE)
    assert office.clients == office.own_ca + BOB.certificate + by_hand
    assert [office.answers(ALICE), office.answers(BOB), office.answers(carol)] == [False, True, True]
    # Taken out by hand, and the engine not restarted.
    host.run(f"cat >{CLIENTS}", office.own_ca + by_hand)
    assert office.answers(BOB)
    assert office.distrust_cas(BOB)
    assert [office.answers(BOB), office.answers(carol), office.owner_is_answered] == [False, True, True]
    succeeds(office.store, "regenerate-certs", "-y", office.name)
    assert office.clients == office.own_ca + by_hand
    assert [office.answers(carol), office.owner_is_answered] == [True, True]
    planned = machinectl("regenerate-certs", "--dry-run", "--new-ca", office.name, store=office.store.root).stdout
    assert "the clients of CN=carol keep their access" in planned
    assert "accepts a CA that is not on record here: CN=carol" in succeeds(
        office.store, "regenerate-certs", "-y", "--new-ca", office.name
    )
    assert office.clients == office.own_ca + by_hand
    assert office.owner_is_answered
    # A list that was deleted: the engine would not start any more.
    host.run(f"rm {CLIENTS}")
    assert office.distrust_cas(BOB)
    assert office.clients == office.own_ca
    host.run(f"rm {CLIENTS}")
    succeeds(office.store, "provision", office.name)
    assert office.owner_is_answered
    host.run("systemctl restart docker")
    assert office.owner_is_answered


def test_no_ended_holder_comes_back_by_another_computer_that_ends_ssh_only(office: Office) -> None:
    store, name = office.store, office.name
    alice, bob, carol = give(office, "alice"), give(office, "bob"), give(office, "carol")
    elsewhere = Store(str(shutil.copytree(store.root, office.directory / "elsewhere")))
    succeeds(store, "access", "end", "-y", "alice", name)
    succeeds(store, "set", "--ssh-only", name)
    assert "suspends the access of: " in succeeds(store, "provision", name)
    assert office.host.output("ls /etc/docker/machinectl") == "clients.pem\nrevision"
    succeeds(store, "access", "end", "-y", "bob", name)
    said = succeeds(elsewhere, "provision", name)
    assert f'Another computer has ended the access of alice, bob to "{name}"\n' in said
    assert "gives access back to carol\n" in said
    assert [office.is_answered(each) for each in (alice, bob, carol)] == [False, False, True]
    assert sorted(elsewhere.read(name).holders) == ["carol"]
    # Nobody can tell whom another computer has ended if the host has no list any more.
    office.host.run("rm -r /etc/docker/machinectl")
    assert "carol would get it back by the record here" in fails(elsewhere, "provision", name)
    assert not office.host.output(f"ls {CLIENTS} 2>/dev/null; true")
    succeeds(elsewhere, "provision", "--yes", name)
    assert [office.is_answered(each) for each in (alice, bob, carol)] == [False, False, True]
    # After a purge, nothing is left of an engine without a listener either.
    succeeds(elsewhere, "set", "--ssh-only", name)
    succeeds(elsewhere, "provision", name)
    began = office.began()
    succeeds(elsewhere, "rm", "-y", "--purge", name)
    assert office.began() == began
    assert office.host.output("ls /etc/docker/machinectl /etc/docker/daemon.json 2>&1 | grep -c 'No such'") == "2"


def give(office: Office, who: str, lifetime: int = 3600) -> Path:
    """Give a holder access as `access grant` does; the directory with its certificate."""
    key = certs.new_key()
    grant = AccessGrant(who, PERSON, certs.own_public_key(key), lifetime)
    with office.store.writing(office.name) as held:
        certificate = client_of_holder(held, Quiet(), Login(), grant)
    directory = office.directory / who
    directory.mkdir()
    for name, data in (("ca.pem", office.own_ca), ("cert.pem", certificate), ("key.pem", key)):
        (directory / name).write_bytes(data)
    return directory


def test_a_holder_that_was_ended_does_not_come_back_from_another_computers_record(office: Office) -> None:
    store, name = office.store, office.name
    alice, bob, carol = give(office, "alice"), give(office, "bob"), give(office, "carol")
    elsewhere = Store(str(shutil.copytree(store.root, office.directory / "elsewhere")))
    succeeds(store, "access", "end", "-y", "alice", name)
    assert [office.is_answered(each) for each in (alice, bob)] == [False, True]
    checks = machinectl("doctor", name, store=elsewhere.root).stdout
    assert "the engine no longer accepts alice" in checks
    assert "was changed by" in fails(elsewhere, "provision", name)
    assert "access ended there: alice\n" in succeeds(elsewhere, "provision", "--take-over", name)
    for option in ("--ssh-only", "--no-ssh-only"):
        succeeds(elsewhere, "set", option, name)
        succeeds(elsewhere, "provision", name)
    assert [office.is_answered(each) for each in (alice, bob)] == [False, True]
    assert sorted(elsewhere.read(name).holders) == ["bob", "carol"]
    # A list that was deleted comes back with those who are still holders, for this computer knows the last change.
    succeeds(store, "provision", "--take-over", name)
    office.host.run(f"rm {CLIENTS}; systemctl restart docker", check=False)
    succeeds(store, "provision", name)
    assert [office.is_answered(each) for each in (alice, bob)] == [False, True]
    # A host that cannot be reached is finished by the next provisioning.
    office.host.link(up=False)
    fails(store, "access", "end", "-y", "carol", name)
    office.host.link(up=True)
    assert office.is_answered(carol)
    assert f'The access of carol to "{name}" has ended' in succeeds(store, "provision", name)
    assert [office.is_answered(each) for each in (carol, bob)] == [False, True]
    succeeds(store, "regenerate-certs", "-y", name)
    assert office.is_answered(bob)
    assert f'The access of bob to "{name}" has ended' in succeeds(store, "regenerate-certs", "-y", "--new-ca", name)
    assert office.clients == office.own_ca
    assert store.read(name).holders == {}
    assert [office.is_answered(bob), office.owner_is_answered] == [False, True]


LOSSES = (f"rm {OWN_CA}", f"echo x >{SERVER}", f": >{CLIENTS}", "rm -r /etc/docker")


def test_what_is_lost_on_the_host_stops_no_engine_and_the_command_that_doctor_names_brings_it_back(
    office: Office,
) -> None:
    store, name = office.store, office.name
    alice = give(office, "alice")
    for number, loss in enumerate(LOSSES):
        office.host.run(loss)
        told = machinectl("doctor", name, store=store.root).stdout
        assert f" provision {name}" in told, (loss, told)
        # It may need the command that doctor names first, but stops no engine.
        machinectl("access", "issue", "-y", "env", name, "--for", f"ci{number}", store=store.root, cwd=office.directory)
        machinectl("access", "end", "-y", f"ci{number}", name, store=store.root)
        assert office.is_answered(alice), loss
        succeeds(store, "provision", "--yes", name)
        assert [office.is_answered(alice), office.owner_is_answered] == [True, True], loss
        done = machinectl("doctor", name, store=store.root)
        assert f"{name}: 2" in done.stdout.splitlines()[0], (loss, done.stdout)


def test_an_end_that_is_killed_or_cut_off_is_finished_by_the_next(fresh_host: FreshHost, tmp_path: Path) -> None:
    # `make soak-access` does it 200 times.
    soak = Soak(fresh_host("docker"), tmp_path, random.Random(20))
    faults = dict(zip(("dora", "erin", "fay"), soak.kinds, strict=True))
    soak.let_in([STAYING, *faults])
    for who, fault in faults.items():
        soak.round(who, fault)
