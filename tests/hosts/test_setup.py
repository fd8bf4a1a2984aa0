"""The command around the steps, on a host that only answers: certificates, the record, and what a failure leaves."""

from __future__ import annotations

import base64
import hashlib
import re
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from machinectl import certs
from machinectl.engine import Endpoint, EngineError, Probe
from machinectl.errors import NO_HINT, CheckFailed, MachineError
from machinectl.hosts.certificate_files import renewed_identity, signed
from machinectl.hosts.engine_restart import World, until_it_answers
from machinectl.hosts.host_run import DryRun, RealRun
from machinectl.hosts.identity import FILES, Identity
from machinectl.hosts.purging import Purge
from machinectl.hosts.setup import Setup
from machinectl.machines.engine_options import EngineOptions
from machinectl.machines.holders import ACTIVE, TOOL, AccessHolder, put_holder
from machinectl.machines.record import Machine, Phase
from machinectl.provision.decision import EngineDown, InUse, RolledBack
from machinectl.provision.host_changes import (
    CaTrusted,
    ConfigMerged,
    DirectoryCreated,
    FileCreated,
    PortOpened,
    UnknownChange,
)
from machinectl.provision.target import Allowed
from machinectl.ssh.runner import CommandResult
from machinectl.state import State
from machinectl.swarm_nodes import draining
from tests.support.quiet import Quiet
from tests.support.registered import added
from tests.support.runner import RecordedHost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.machines.store import Store

ADDRESS = "192.168.0.29"


def answering(state: State, error: str = "") -> World:
    def nothing(*_: object) -> None:
        return None

    return World(nothing, lambda *_: Probe(state, error=error), reach=nothing, docker_error=nothing)


@pytest.fixture(autouse=True)
def machine(store: Store) -> Machine:
    new = Machine("orion", "generic", url=f"tcp://{ADDRESS}:2376", tls=True)
    new.phase = Phase.CREATING
    new.engine = EngineOptions(install="distro")
    return added(store, new)


def carried_out(
    store: Store, host: RecordedHost, world: World | None = None, authority: certs.Pair | None = None
) -> list[str]:
    setup = Setup(authority=authority, world=world or answering(State.RUNNING))
    with store.writing("orion") as held:
        plan = setup.carry_out(RealRun(held, Quiet(), host))
    return [outcome.title for outcome in plan.outcomes if outcome.changed]


def files(store: Store) -> dict[str, bytes]:
    directory = Path(store.directory("orion"))
    return {name: (directory / name).read_bytes() for name in FILES.values() if (directory / name).exists()}


def test_a_machine_is_ready_when_its_engine_has_answered(store: Store) -> None:
    assert carried_out(store, RecordedHost("docker")) == ["Configuring the engine and restarting it"]
    assert store.read("orion").phase == Phase.READY
    assert store.read("orion").mac.startswith("02:00:0a:42")
    assert set(files(store)) == set(FILES.values())


def test_what_will_be_changed_is_on_record_before_it_is(store: Store) -> None:
    seen = []
    carried_out(store, RecordedHost("docker", at_work=lambda: seen.append(store.read("orion"))))
    [record] = seen
    assert record.phase == Phase.PROVISIONING
    assert {type(change) for change in record.changes} >= {ConfigMerged, FileCreated, CaTrusted, DirectoryCreated}
    assert all(change.when for change in record.changes)


def test_an_engine_that_does_not_answer_leaves_a_machine_that_can_be_resumed(store: Store) -> None:
    with pytest.raises(MachineError) as raised:
        carried_out(store, RecordedHost("docker"), answering(State.TIMEOUT, "it does not answer within 10 s"))
    assert "cannot be reached from here" in raised.value.cause
    assert "port 2376/tcp" in raised.value.hint
    assert store.read("orion").phase == Phase.PROVISIONING
    before = files(store)
    carried_out(store, RecordedHost("docker"))
    assert files(store) == before


def test_a_host_that_is_refused_changes_nothing_here(store: Store) -> None:
    before = store.read("orion").dump()
    with pytest.raises(CheckFailed):
        carried_out(store, RecordedHost("swarm-node"))
    assert store.read("orion").dump() == before
    assert files(store) == {}


def test_what_runs_on_a_node_is_looked_at_again_when_it_is_its_turn(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = RecordedHost("swarm-node")

    @contextmanager
    def waited(*_: object) -> Iterator[None]:
        host.facts += b"\n@once job\n"
        yield

    monkeypatch.setattr(draining, "drained_node", waited)
    setup = Setup(Allowed(restart_swarm=True), world=answering(State.RUNNING))
    with store.writing("orion") as held, pytest.raises(MachineError, match="ends job for good"):
        setup.carry_out(RealRun(held, Quiet(), host))
    assert host.jobs == []


def test_an_engine_in_use_is_left_alone_until_its_turn(store: Store) -> None:
    before, host = store.read("orion").dump(), RecordedHost("docker-with-a-container")
    setup = Setup(Allowed(in_use=False), world=answering(State.RUNNING))
    with store.writing("orion") as held, pytest.raises(InUse) as raised:
        setup.carry_out(RealRun(held, Quiet(), host))
    assert len(raised.value.containers) == 1
    assert (store.read("orion").dump(), files(store), host.jobs) == (before, {}, [])
    with store.writing("orion") as held:
        setup.carry_out(RealRun(held, Quiet(), RecordedHost("docker")))
    assert store.read("orion").phase == Phase.READY


def test_a_side_effect_is_asked_about_before_anything_is_changed(store: Store) -> None:
    host = RecordedHost("docker")
    host.facts = host.facts.replace(b"-H fd://", b"-H fd:// -H tcp://[::]:2375")
    before = store.read("orion").dump()
    console = Quiet(False)
    with store.writing("orion") as held, pytest.raises(CheckFailed, match="was not changed"):
        Setup(world=answering(State.RUNNING)).carry_out(RealRun(held, console, host))
    assert console.asked == ["Set the host up anyway?"]
    assert "tcp://[::]:2375 without TLS" in console.warnings[0]
    assert (store.read("orion").dump(), host.jobs) == (before, [])
    with store.writing("orion") as held:
        Setup(Allowed(yes=True), world=answering(State.RUNNING)).carry_out(RealRun(held, Quiet(), host))
    assert store.read("orion").phase == Phase.READY


def test_a_port_that_stays_open_without_tls_is_named(store: Store) -> None:
    host = RecordedHost("docker")
    host.facts = host.facts.replace(b"-H fd://", b"-H fd:// -H tcp://[::]:2375")
    machine = store.read("orion")
    machine.engine = replace(machine.engine, ssh_only=True)
    console = Quiet()
    with suppress(MachineError):
        Setup(world=answering(State.RUNNING)).carry_out(DryRun(store, machine, console, host, "ssh://ops@192.168.0.29"))
    said = "The host's own configuration makes the engine listen on tcp://[::]:2375 without TLS, and that stays"
    assert said in console.warnings


def test_an_engine_that_docker_does_not_reach_over_ssh_is_found_before_its_listener_is_closed(
    store: Store, machine: Machine
) -> None:
    class Login(RecordedHost):
        def run(self, script: str, **_: Any) -> CommandResult:
            return CommandResult(127, b"", b"sh: docker: not found")

    host = RecordedHost("docker")
    vars(host)["session"] = Login()
    machine.engine = replace(machine.engine, ssh_only=True)
    with store.writing("orion") as held:
        held.machine.engine = machine.engine
        held.write()
        before = held.machine.dump()
        url = "ssh://ops@192.168.0.29"
        for run in (DryRun(store, machine, Quiet(), host, url), RealRun(held, Quiet(), host, url)):
            with pytest.raises(CheckFailed, match="sh: docker: not found"):
                Setup(world=answering(State.RUNNING)).carry_out(run)
    assert (store.read("orion").dump(), host.jobs) == (before, [])


def test_a_user_who_has_to_join_the_group_asks_the_engine_before_it_is_changed(store: Store, machine: Machine) -> None:
    class Login(RecordedHost):
        def run(self, script: str, **_: Any) -> CommandResult:
            return CommandResult(1, b"", b"permission denied while trying to connect")

    host = RecordedHost("docker")
    host.facts = host.facts.replace(b"\n@end", b"\n@login ops ops\n\n@end")
    vars(host)["session"] = Login()
    with store.writing("orion") as held:
        held.machine.engine = replace(machine.engine, ssh_only=True)
        run = RealRun(held, Quiet(), host, "ssh://ops@192.168.0.29")
        with pytest.raises(MachineError, match="does not answer over SSH: the host prints"):
            Setup(world=answering(State.ERROR, "the host prints 'BANNER' before any answer")).carry_out(run)
        [joining] = host.jobs
        assert "usermod -aG docker ops" in joining
        Setup(world=answering(State.RUNNING)).carry_out(run)
    assert len(host.jobs) > 1


def test_an_engine_that_does_not_answer_over_ssh_from_here_keeps_its_listener(store: Store, machine: Machine) -> None:
    host = RecordedHost("docker")
    with store.writing("orion") as held:
        held.machine.engine = replace(machine.engine, ssh_only=True)
        run = RealRun(held, Quiet(), host, "ssh://ops@192.168.0.29")
        with pytest.raises(CheckFailed, match="does not answer over SSH") as raised:
            Setup(world=answering(State.TIMEOUT)).carry_out(run)
    assert host.jobs == []
    assert raised.value.hint.endswith("machinectl set --no-ssh-only orion; machinectl provision orion")


def test_a_port_that_is_closed_is_found_before_anything_is_changed(store: Store, machine: Machine) -> None:
    closed = EngineError("192.168.0.29:2376 does not answer within 10 s", NO_HINT, State.TIMEOUT)
    world = replace(answering(State.RUNNING), reach=lambda _, __: closed)
    before = store.read("orion").dump()
    host = RecordedHost("docker")
    with pytest.raises(CheckFailed, match="could not be reached from here"):
        carried_out(store, host, world)
    with pytest.raises(CheckFailed, match="could not be reached from here"):
        Setup(world=world).carry_out(DryRun(store, machine, Quiet(), host))
    assert (store.read("orion").dump(), host.jobs) == (before, [])


def test_where_the_host_gets_its_old_configuration_back_so_does_the_machine(store: Store) -> None:
    carried_out(store, RecordedHost("docker"))
    before = files(store)
    with pytest.raises(EngineDown, match="journal: it does not start"):
        carried_out(
            store,
            RecordedHost("docker", status=3, said=("journal: it does not start",)),
            authority=certs.new_ca("another"),
        )
    assert files(store) == before
    assert store.read("orion").phase == Phase.READY


@pytest.mark.parametrize("status", [3, 4, 5, 7, 8])
def test_what_a_host_rolled_back_is_not_on_record(store: Store, status: int) -> None:
    with pytest.raises(RolledBack):
        carried_out(store, RecordedHost("docker", status=status, valid=True))
    left = store.read("orion").changes
    # A later undo would restore the daemon.json of that time.
    assert not [change for change in left if isinstance(change, ConfigMerged | FileCreated | CaTrusted)]
    carried_out(store, RecordedHost("docker"))
    ready = store.read("orion").changes
    with store.writing("orion") as held:
        held.machine.engine = EngineOptions(options=("log-level=wrong",))
    with pytest.raises(RolledBack):
        carried_out(store, RecordedHost("docker", status=status), authority=certs.new_ca("another"))
    assert store.read("orion").changes == ready


def test_a_configuration_that_dockerd_refuses_is_found_before_anything_is_begun(store: Store) -> None:
    host = RecordedHost("docker", valid=False, said=("daemon.json: unknown key debgu",))
    with pytest.raises(CheckFailed, match="unknown key debgu") as raised:
        carried_out(store, host)
    assert raised.value.hint.endswith("in /etc/docker/daemon.json on the host, then run the same command again")
    assert (host.jobs, store.read("orion").changes) == ([], ())


@pytest.mark.parametrize("status", [1, 3])
def test_a_machine_in_use_stays_so_whatever_becomes_of_its_provisioning(store: Store, status: int) -> None:
    carried_out(store, RecordedHost("docker"))
    before, seen = files(store), []
    with pytest.raises(MachineError):
        carried_out(
            store,
            RecordedHost(
                "docker", status=status, at_work=lambda: seen.append((store.read_ready("orion"), files(store)))
            ),
            authority=certs.new_ca("another"),
        )
    [(at_work, had)] = seen
    assert (at_work.pending, had) == ("provision", before)
    assert (store.read_ready("orion").pending, files(store)) == ("provision", before)
    # Whatever the host has by now, what opens it is here.
    assert store.is_unsettled("orion")
    carried_out(store, RecordedHost("docker"))
    assert store.read_ready("orion").pending == ""
    assert not store.is_unsettled("orion")


def test_certificates_that_are_good_are_kept_and_the_others_are_made_anew(machine: Machine) -> None:
    first = renewed_identity(machine, Identity(), [ADDRESS])
    assert renewed_identity(machine, first, [ADDRESS]) == first
    more = renewed_identity(machine, first, [ADDRESS, "Orion.local"])
    assert {name for name in first.files if first.files[name] != more.files[name]} == {"server.pem", "server-key.pem"}
    assert renewed_identity(machine, more, [ADDRESS, "orion.LOCAL"]) == more
    old = certs.issue_client(certs.Pair(more.ca, more.ca_key), "orion", now=datetime.now(UTC) + timedelta(days=3))
    stale = replace(more, client=old.certificate, client_key=old.key)
    assert renewed_identity(machine, stale, [ADDRESS, "orion.local"]).client != old.certificate


def test_a_slow_clock_here_makes_no_certificates_anew(store: Store, machine: Machine) -> None:
    then = datetime.now(UTC) + timedelta(days=5)
    ca = certs.new_ca("machinectl orion", now=then)
    own = signed(ca, certs.issue_server(ca, [ADDRESS], now=then), certs.issue_client(ca, "orion", now=then))
    with store.writing("orion") as held:
        own.keep(held)
    host = RecordedHost("docker")
    host.facts = re.sub(rb"@clock \d+", b"@clock %d" % int(then.timestamp()), host.facts)
    with pytest.raises(CheckFailed, match="5 days behind the clock of the host"):
        carried_out(store, host)
    assert host.jobs == []
    assert Identity.read(machine.directory) == own


def test_certificates_of_somebody_elses_ca_are_never_overwritten(store: Store, machine: Machine) -> None:
    made = renewed_identity(machine, Identity(), [ADDRESS])
    with store.writing("orion") as held:
        replace(made, ca_key=b"", server=b"", server_key=b"").keep(held)
    before = files(store)
    with pytest.raises(MachineError, match=r"The CA key .* is not here"):
        carried_out(store, RecordedHost("docker"))
    assert files(store) == before


def with_ca(host: RecordedHost, ca: bytes) -> RecordedHost:
    """Give the host's facts our ca.pem."""
    path, text = "/etc/docker/machinectl/ca.pem", base64.b64encode(ca).decode()
    lines = f"@sum 644 0 0 {hashlib.sha256(ca).hexdigest()} {path}\n\n@file 644 0 0 {path}\n|{text}\n\n@end"
    host.facts = host.facts.replace(b"@end", lines.encode())
    return host


def set_up_with_a_holder(store: Store) -> Identity:
    carried_out(store, RecordedHost("docker"))
    with store.writing("orion") as held:
        put_holder(held.machine, AccessHolder("ci", TOOL, state=ACTIVE))
        held.write()
        return Identity.read(held.directory)


def lose(store: Store, *names: str) -> None:
    for name in names:
        Path(store.directory("orion"), name).unlink()


@pytest.mark.parametrize("damage", [b"", b"-----BEGIN CERTIFICATE-----\n"])
def test_a_lost_ca_certificate_comes_back_from_the_host(store: Store, damage: bytes) -> None:
    before = set_up_with_a_holder(store)
    stranger = certs.new_ca("stranger").certificate
    Path(store.directory("orion"), "ca.pem").write_bytes(damage)
    console = Quiet()
    with store.writing("orion") as held:
        # The host adds a CA: only the certificate of the key here is trusted.
        run = RealRun(held, console, with_ca(RecordedHost("docker"), stranger + before.ca))
        Setup(world=answering(State.RUNNING)).carry_out(run)
    assert Identity.read(store.directory("orion")) == before
    assert console.asked == []
    assert store.read("orion").holders["ci"]["state"] == ACTIVE


@pytest.mark.parametrize("on_host", [True, False])
def test_a_new_ca_for_a_lost_one_locks_nobody_out_unasked(store: Store, on_host: bool) -> None:
    before = set_up_with_a_holder(store)
    lose(store, *FILES.values())
    host = RecordedHost("docker")
    host = with_ca(host, before.ca) if on_host else host
    console = Quiet(False)
    with store.writing("orion") as held, pytest.raises(CheckFailed, match="was not changed"):
        Setup(world=answering(State.RUNNING)).carry_out(RealRun(held, console, host))
    assert "locks out every other client that was given a certificate, and the access of ci ends" in console.warnings[0]
    assert (host.jobs, files(store)) == ([], {})
    with store.writing("orion") as held:
        run = RealRun(held, Quiet(), host)
        Setup(Allowed(yes=True), world=answering(State.RUNNING)).carry_out(run)
    assert not store.read("orion").holders
    assert Identity.read(store.directory("orion")).ca != before.ca


def test_apply_never_replaces_a_lost_ca(store: Store) -> None:
    before = set_up_with_a_holder(store)
    lose(store, *FILES.values())
    host = with_ca(RecordedHost("docker"), before.ca)
    setup = Setup(Allowed(yes=True), world=answering(State.RUNNING), keeps_ca=True)
    with store.writing("orion") as held, pytest.raises(CheckFailed, match="locks out") as raised:
        setup.carry_out(RealRun(held, Quiet(), host))
    assert raised.value.hint == "Restore its files; or make a new CA: machinectl provision orion"
    assert host.jobs == []


def test_a_lost_key_of_the_own_ca_is_no_stranger(store: Store) -> None:
    set_up_with_a_holder(store)
    lose(store, "ca-key.pem")
    with pytest.raises(MachineError, match='The key of the CA of "orion" is not here') as raised:
        carried_out(store, RecordedHost("docker"))
    assert "machinectl regenerate-certs --new-ca orion" in raised.value.hint


def test_a_machine_that_docker_reaches_over_ssh_stays_so_until_its_engine_answers_elsewhere(store: Store) -> None:
    with store.writing("orion") as held:
        held.machine.url, held.machine.tls, held.machine.phase = f"ssh://root@{ADDRESS}", False, Phase.READY
        held.machine.provision = False
        held.write()
    tcp = f"tcp://{ADDRESS}:2376"
    for world, host in (
        (answering(State.RUNNING), RecordedHost("docker", status=3)),
        (answering(State.TIMEOUT, "silent"), RecordedHost("docker")),
    ):
        with store.writing("orion") as held, pytest.raises(MachineError):
            Setup(world=world).carry_out(RealRun(held, Quiet(), host, tcp))
        machine = store.read("orion")
        assert (machine.url, machine.tls, machine.phase) == (f"ssh://root@{ADDRESS}", False, Phase.READY)
    with store.writing("orion") as held:
        Setup(world=answering(State.RUNNING)).carry_out(RealRun(held, Quiet(), RecordedHost("docker"), tcp))
    machine = store.read("orion")
    assert (machine.url, machine.tls, machine.provision) == (tcp, True, True)


def test_what_is_not_undone_stays_on_record(store: Store) -> None:
    strange = (UnknownChange({"kind": "sysctl", "path": "net.ipv4.ip_forward"}), PortOpened("ufw", "2376", "reboot"))
    with store.writing("orion") as held:
        held.machine.changes = (CaTrusted("ab" * 32), *strange)
        assert Purge().carry_out(RealRun(held, Quiet(), RecordedHost("docker"))).outcomes == ()
    assert store.read("orion").changes == strange


@pytest.mark.parametrize("ports", [1, 3])
def test_an_engine_that_warns_before_it_listens_is_waited_for(monkeypatch: pytest.MonkeyPatch, ports: int) -> None:
    """17 s go by for each port without TLS, as Docker's dockerd has it; this one is none, and its clock runs fast."""
    clock = [0.0]

    class Patient(Quiet):
        def pause(self, seconds: float) -> None:
            clock[0] += seconds

    monkeypatch.setattr("machinectl.hosts.engine_restart.time.monotonic", lambda: clock[0])

    def probe(*_: object) -> Probe:
        return Probe(State.RUNNING if clock[0] > 17 * ports else State.STOPPED, error="nothing listens there")

    assert until_it_answers(Endpoint("tcp://192.0.2.1:2375"), Patient(), probe).state is State.RUNNING
    # One that never listens is not waited for for ever.
    clock[0] = 0
    found = until_it_answers(Endpoint("tcp://192.0.2.1:2375"), Patient(), lambda *_: Probe(State.STOPPED))
    assert (found.state, clock[0] < 120) == (State.STOPPED, True)
