"""New certificates: what is new and what stays, what is asked first, and what is refused before a host is touched."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from machinectl import certs
from machinectl.errors import CheckFailed, MachineError
from machinectl.hosts import engine_restart, host_run
from machinectl.hosts.certificate_files import signed
from machinectl.hosts.certificate_renewal import (
    Renewal,
    certificate_change,
    check_renewable,
    new_identity,
    plan_renewal,
    renew,
    renew_now,
)
from machinectl.hosts.identity import FILES, Identity
from machinectl.hosts.login import Login
from machinectl.machines.engine_options import EngineOptions
from machinectl.machines.record import Machine, Phase
from machinectl.provision.facts.host_facts import Facts, HostFile, Process
from machinectl.provision.host_changes import CaTrusted
from machinectl.provision.target import Target
from tests.support.in_process import machinectl
from tests.support.quiet import Quiet
from tests.support.registered import added, register
from tests.support.runner import RecordedHost
from tests.support.servers import free_port, serving

if TYPE_CHECKING:
    from machinectl.hosts.host_plan import HostPlan
    from machinectl.machines.store import Store
    from tests.support.sshd import Sshd

# The configuration of whoever runs the tests is not read.
pytestmark = pytest.mark.usefixtures("ssh_config")

ADDRESS = "192.0.2.29"
DOCKERD = Process(7, uid=0, cgroup="")
OURS = b"""{"hosts": ["fd://"], "tlsverify": true, "tlscert": "/etc/docker/machinectl/server.pem"}"""
CA = certs.new_ca("machinectl orion", now=datetime.now(UTC) - timedelta(days=1000))


@pytest.fixture(scope="module")
def old() -> Identity:
    """The certificates of a machine that was provisioned."""
    server, client = certs.issue_server(CA, [ADDRESS, "orion.lan"]), certs.issue_client(CA, "orion")
    return signed(CA, server, client)


def orion(*sans: str) -> Machine:
    machine = Machine("orion", "generic", url=f"tcp://{ADDRESS}:2376", tls=True)
    machine.engine = EngineOptions(tls_sans=sans)
    return machine


def changed(old: Identity, new: Identity) -> set[str]:
    return {name for name in new.files if new.files[name] != old.files[name]}


def works(made: Identity) -> bool:
    """Whether client and server would take each other."""
    certs.client_bundle(made.ca, made.client, made.client_key)
    certs.server_bundle(made.ca, made.server, made.server_key)
    certs.ca_pair(made.ca, made.ca_key)
    return True


SERVER, CLIENT = {"server.pem", "server-key.pem"}, {"cert.pem", "key.pem"}


@pytest.mark.parametrize(
    ("renewal", "made"),
    [
        (Renewal(), SERVER),
        (Renewal(client=True), SERVER | CLIENT),
        (Renewal(new_ca=True), {*FILES.values()}),
        (Renewal(authority=certs.new_ca("company")), {*FILES.values()}),
    ],
    ids=["engine's", "client's", "new CA", "given CA"],
)
def test_what_is_asked_for_is_new_and_all_else_stays(old: Identity, renewal: Renewal, made: set[str]) -> None:
    new = new_identity(orion(), old, renewal)
    assert changed(old, new) == made
    assert works(new)
    if renewal.authority:
        assert (new.ca, new.ca_key) == (renewal.authority.certificate, renewal.authority.key)


def test_what_is_not_good_any_more_is_renewed_without_being_asked_for(old: Identity) -> None:
    expired = certs.issue_client(CA, "orion", now=datetime.now(UTC) - timedelta(days=900))
    damaged = replace(old, client=expired.certificate, client_key=expired.key, server=b"x")
    assert works(new_identity(orion(), damaged, Renewal()))


def test_names_are_added_and_none_is_lost(old: Identity) -> None:
    new = new_identity(orion("rigel.lan"), old, Renewal(sans=("10.0.0.7", "orion.lan")))
    names = certs.describe(new.server).sans
    assert set(names) == {ADDRESS, "rigel.lan", "10.0.0.7", "orion.lan", "localhost", "127.0.0.1"}
    assert len(names) == 6


def test_a_ca_that_cannot_sign_is_replaced_only_if_that_is_asked(old: Identity) -> None:
    expired = certs.new_ca("orion", now=datetime.now(UTC) - timedelta(days=4000))
    for have, cause in (
        (replace(old, ca_key=b""), "The key of the CA"),
        (replace(old, ca=expired.certificate, ca_key=expired.key), "expired"),
    ):
        with pytest.raises(MachineError, match=cause) as raised:
            new_identity(orion(), have, Renewal())
        assert "--new-ca orion" in raised.value.hint
        assert works(new_identity(orion(), have, Renewal(new_ca=True)))


@pytest.fixture
def reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_restart, "with_reachability", lambda host, *_: host)


@pytest.mark.usefixtures("reachable")
@pytest.mark.parametrize("renewal", [Renewal(), Renewal(new_ca=True)], ids=["same CA", "new CA"])
def test_a_slow_clock_here_replaces_no_certificate(store: Store, renewal: Renewal) -> None:
    then = datetime.now(UTC) + timedelta(days=5)
    server, client = certs.issue_server(CA, [ADDRESS], now=then), certs.issue_client(CA, "orion", now=then)
    identity = signed(CA, server, client)
    machine = added(store, orion(), identity.present)
    new = Target(ADDRESS, certificates=new_identity(machine, identity, renewal).on_host)
    host = replace(facts(), clock=int(then.timestamp()))
    with pytest.raises(CheckFailed, match="5 days behind the clock of the host") as raised:
        check_renewable(machine, host, new)
    assert raised.value.hint.startswith("Correct the clock that is wrong")
    # By the clocks of both, it is the certificate that is wrong.
    check_renewable(machine, facts(), new)


def facts(config: bytes = OURS) -> Facts:
    return Facts(
        uid=0,
        clock=int(datetime.now(UTC).timestamp()),
        arch="x86_64",
        os_release={"ID": "debian"},
        init="systemd",
        dockerd="/usr/sbin/dockerd",
        files={"/etc/docker/daemon.json": HostFile("644", 0, 0, config)},
    )


@pytest.mark.usefixtures("reachable")
def test_an_engine_that_takes_its_certificates_from_elsewhere_is_not_touched(old: Identity) -> None:
    with pytest.raises(MachineError, match="does not take its certificates from /etc/docker/machinectl"):
        check_renewable(
            orion(), facts(b'{"tlscert": "/etc/docker/server.pem"}'), Target(ADDRESS, certificates=old.on_host)
        )
    check_renewable(orion(), facts(), Target(ADDRESS, certificates=old.on_host))


def test_an_engine_that_could_not_be_asked_afterwards_is_not_restarted(old: Identity) -> None:
    def check(port: int, host: Facts) -> None:
        machine = orion()
        machine.url = f"tcp://127.0.0.1:{port}"
        check_renewable(machine, host, Target("127.0.0.1", port, name="orion", certificates=old.on_host))

    port = free_port()
    rejecting = {"iptables": f"-A INPUT -p tcp --dport {port} -j REJECT"}
    # Refused: the engine may wait for its restart to listen there.
    check(port, facts())
    listening = replace(facts(), init="openrc", processes=(DOCKERD,), listeners=(DOCKERD.pid,))
    with pytest.raises(CheckFailed, match="could not be reached from here") as raised:
        check(port, listening)
    assert f"must let port {port}/tcp through" in raised.value.hint
    with pytest.raises(CheckFailed) as raised:
        check(port, replace(facts(), firewalls=rejecting))
    rule = f"iptables -I INPUT -p tcp --dport {port} -j ACCEPT"
    assert raised.value.hint.endswith(f"Open it there: {rule}; or: machinectl provision --open-firewall orion")
    # One that answers is not asked for its certificate, which may have expired.
    with serving(lambda _: None) as port:
        check(port, listening)


def test_a_ca_that_another_computer_has_replaced_is_not_put_back(
    store: Store, old: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = RecordedHost("provisioned")
    host.facts = host.facts.replace(b"@end", b"@revision 2 0123456789abcdef 2026-11-27T22:40:00Z bob@pc\n@end")
    monkeypatch.setattr(host_run, "logged_in_as_root", lambda *_, **__: nullcontext(host))
    monkeypatch.setattr(host_run, "logged_in", lambda *_, **__: nullcontext(host))
    monkeypatch.setattr(host_run, "root_runner", lambda *_, **__: host)
    machine = orion()
    machine.driver_state = json.dumps({"IPAddress": ADDRESS, "SSHUser": "root", "SSHPort": 22, "EnginePort": 2376})
    machine.changes = [CaTrusted(hashlib.sha256(old.ca).hexdigest())]
    added(store, machine, old.present)
    refused = "another computer's CA: bob@pc set it up"
    for renewal in (Renewal(), Renewal(client=True), Renewal(new_ca=True)):
        with store.writing("orion") as held, pytest.raises(CheckFailed, match=refused) as raised:
            renew(held, Quiet(), Login(), renewal)
        assert "locks out its owner: machinectl provision --force orion" in raised.value.hint
        with pytest.raises(CheckFailed, match=refused):
            plan_renewal(store, store.read("orion"), Quiet(), Login(), renewal)
    assert host.jobs == []
    assert Identity.read(store.directory("orion")) == old


def test_a_host_that_is_not_provisioned_yet_is_refused_before_its_engine_is_touched(
    store: Store, old: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = RecordedHost("docker-with-a-container")
    monkeypatch.setattr(host_run, "logged_in_as_root", lambda *_, **__: nullcontext(host))
    machine = orion()
    machine.driver_state = json.dumps({"IPAddress": ADDRESS, "SSHUser": "root", "SSHPort": 22, "EnginePort": 2376})
    added(store, machine, {name: content for name, content in old.files.items() if content})
    with store.writing("orion") as held, pytest.raises(MachineError, match="does not take its certificates") as raised:
        renew(held, Quiet(), Login(), Renewal())
    assert raised.value.hint == "Set it up first: machinectl provision orion"
    assert host.jobs == []
    assert not store.read("orion").changes


def test_a_host_that_0_1_set_up_keeps_its_key_in_a_file_of_its_own(old: Identity) -> None:
    host = facts(OURS[:-1] + b""", "tlskey": "/etc/docker/machinectl/server-key.pem"}""")
    decision = certificate_change("title", host, Target(ADDRESS, certificates=old.on_host))
    assert decision.job.files["manifest"].decode().splitlines()[2:] == ["600 /etc/docker/machinectl/server-key.pem"]
    assert decision.job.files["3"] == old.server_key


def test_a_host_whose_clock_would_refuse_them_is_not_given_them(old: Identity) -> None:
    host = replace(facts(), clock=int((datetime.now(UTC) - timedelta(days=700)).timestamp()))
    with pytest.raises(CheckFailed, match="The host's clock says"):
        check_renewable(orion(), host, Target(ADDRESS, certificates=old.on_host))


def test_the_files_go_to_the_host_with_their_modes_and_none_of_them_in_a_command(old: Identity) -> None:
    decision = certificate_change("title", facts(), Target(ADDRESS, certificates=old.on_host))
    assert decision.job.files["manifest"].decode().splitlines() == [
        "644 /etc/docker/machinectl/ca.pem",
        "600 /etc/docker/machinectl/server.pem",
    ]
    assert decision.job.files["2"] == old.server + old.server_key
    assert b"ca-key" not in decision.job.archive
    assert old.ca_key not in decision.job.archive
    assert "PRIVATE KEY" not in decision.job.text
    assert "action=restart" in decision.job.text
    # Before the restart: the configuration may have been damaged on the host.
    assert "dockerd --validate" in decision.job.text
    assert decision.changes == (CaTrusted(hashlib.sha256(old.ca).hexdigest()),)


def run(store: Store, console: Quiet, *names: str, force: bool = False) -> dict[str, HostPlan | MachineError | None]:
    return dict(renew_now(store, console, names, Login(), Renewal(), unasked=force))


@pytest.mark.parametrize("answer", ["n", ""])
def test_a_question_that_is_not_answered_with_yes_changes_nothing(store: Store, sshd: Sshd, answer: str) -> None:
    register(store, "orion", sshd)
    console = Quiet(answer, interactive=False)
    assert run(store, console, "orion") == {}
    assert console.said[-2:] == ["Are you sure?", "No certificate was changed"]
    assert sshd.log == ""


def test_machines_that_have_no_certificates_of_ours_are_refused_and_the_others_done(store: Store, sshd: Sshd) -> None:
    register(store, "orion", sshd)
    for name in ("half", "plain"):
        register(store, name, sshd)
        with store.writing(name) as held:
            held.machine.phase = Phase.PROVISIONING if name == "half" else Phase.READY
            held.machine.tls = name == "half"
            held.write()
    machinectl("create", "-d", "none", "--url", "tcp://127.0.0.1:2376", "far", store=store.root)
    errors = run(store, Quiet(), "nowhere", "half", "plain", "far", "orion", force=True)
    causes = {name: str(error) for name, error in errors.items()}
    assert "does not exist" in causes["nowhere"]
    assert "half provisioned" in causes["half"]
    assert "does not use TLS" in causes["plain"]
    assert "has no SSH" in causes["far"]
    # It has no CA.
    assert "The key of the CA" in causes["orion"]
    assert sshd.log == ""
    assert not os.path.exists(os.path.join(store.directory("orion"), "server.pem"))
