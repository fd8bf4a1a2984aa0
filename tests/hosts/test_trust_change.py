"""Whose clients an engine accepts: what `trust_ca` and `distrust_cas` send to a host, and what they record."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl import certs
from machinectl.access.granting import AccessGrant, client_of_holder
from machinectl.errors import BY_SERVICE, SET_CLOCK, CheckFailed, MachineError
from machinectl.files.fileset import COMMITTED
from machinectl.hosts import host_run
from machinectl.hosts.certificate_files import signed
from machinectl.hosts.holder_cas import holder_ca
from machinectl.hosts.login import Login
from machinectl.hosts.trust_change import (
    distrust_cas,
    plan_trust,
    trust_ca,
    with_ca,
    without_cas,
)
from machinectl.machines.holders import ACTIVE, ADDING, PERSON, AccessHolder, find_holder, put_holder
from machinectl.machines.record import Machine
from machinectl.provision.client_cas import CLIENTS
from machinectl.provision.decision import EngineDown, InUse
from machinectl.provision.host_changes import CaTrusted, ConfigMerged, FileCreated, of_kind
from machinectl.provision.revision import Revision
from machinectl.provision.target import NOTHING_SPECIAL, Allowed
from tests.support.quiet import Quiet
from tests.support.registered import added
from tests.support.runner import RecordedHost

if TYPE_CHECKING:
    from machinectl.hosts.host_plan import HostPlan
    from machinectl.machines.store import Store

ADDRESS = "192.0.2.29"
RECORDED_CA = b"746dd66f2c3770d5228bf56fa528648631d95bb2d4dcea81bf857504877f62bf"
CA, ALICE = certs.new_ca("machinectl orion"), certs.new_ca("machinectl orion alice")
DIGEST = certs.fingerprint(ALICE.certificate)


def host(clients: bytes = b"", more: bytes = b"", status: int = 0) -> RecordedHost:
    """A host that was provisioned; `clients` is its clients.pem, `more` are further facts."""
    found = RecordedHost("provisioned", status=status, valid=True)
    found.facts = found.facts.replace(RECORDED_CA, hashlib.sha256(CA.certificate).hexdigest().encode())
    if clients:
        config = base64.b64encode(configuration(found).replace(b"/ca.pem", b"/clients.pem"))
        found.facts = found.facts.replace(encoded_config(found), b"|" + config)
        text = base64.b64encode(clients)
        more += b"\n@file 644 0 0 " + CLIENTS.encode() + b"\n|" + text
    found.facts = found.facts.replace(b"\n@end", more + b"\n@end")
    return found


def encoded_config(found: RecordedHost) -> bytes:
    match = re.search(rb"@file [0-9 ]* /etc/docker/daemon\.json\n((?:\|.*\n)*\|.*)", found.facts)
    assert match
    return match[1]


def configuration(found: RecordedHost) -> bytes:
    return base64.b64decode(encoded_config(found).replace(b"|", b""))


def with_clock(found: RecordedHost, ahead: timedelta) -> RecordedHost:
    then = datetime.now(UTC) + ahead
    found.facts = re.sub(rb"@clock \d+", b"@clock %d" % int(then.timestamp()), found.facts)
    return found


@pytest.fixture
def orion(store: Store) -> Machine:
    server, client = certs.issue_server(CA, [ADDRESS]), certs.issue_client(CA, "orion")
    machine = Machine("orion", "generic", url=f"tcp://{ADDRESS}:2376", tls=True)
    machine.driver_state = json.dumps({"IPAddress": ADDRESS, "SSHUser": "root", "SSHPort": 22, "EnginePort": 2376})
    machine.changes = [CaTrusted(hashlib.sha256(CA.certificate).hexdigest())]
    return added(store, machine, signed(CA, server, client).present)


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch, orion: Machine) -> list[RecordedHost]:  # noqa: ARG001 - it is in the store
    """The host that is logged in to: the list's last one."""
    hosts: list[RecordedHost] = []
    monkeypatch.setattr(host_run, "logged_in", lambda *_, **__: nullcontext(hosts[-1]))
    monkeypatch.setattr(host_run, "root_runner", lambda *_: hosts[-1])
    monkeypatch.setattr(host_run, "logged_in_as_root", lambda *_, **__: nullcontext(hosts[-1]))
    monkeypatch.setattr(host_run, "login_summary", lambda *_, **__: "Logged in as root")
    return hosts


def planned(store: Store, console: Quiet | None = None, until: datetime | None = None) -> HostPlan:
    machine = store.read("orion")
    target = with_ca(machine, ALICE.certificate, until)
    return plan_trust(store, machine, console or Quiet(), Login(), target, NOTHING_SPECIAL)


def manifest(found: RecordedHost) -> list[str]:
    return found.sent["manifest"].decode().splitlines()


def test_the_first_holder_makes_a_list_that_begins_with_the_machines_own_ca(
    store: Store, reached: list[RecordedHost]
) -> None:
    reached.append(host())
    with store.writing("orion") as held:
        assert trust_ca(held, Quiet(), Login(), ALICE.certificate)
    assert manifest(reached[-1])[:2] == [f"644 {CLIENTS}", "644 /etc/docker/daemon.json"]
    assert reached[-1].sent["1"] == CA.certificate + ALICE.certificate
    assert json.loads(reached[-1].sent["2"])["tlscacert"] == CLIENTS
    assert "action=restart" in reached[-1].jobs[-1]
    changes = store.read("orion").changes
    assert FileCreated(CLIENTS) in changes
    assert [change.ours for change in of_kind(changes, ConfigMerged)] == [{"tlscacert": CLIENTS}]


@pytest.mark.parametrize(("text", "fault"), [(None, "missing"), ("", "missing"), ("no certificate", "damaged")])
def test_without_the_machines_own_ca_here_no_list_is_written(
    store: Store, reached: list[RecordedHost], orion: Machine, text: str | None, fault: str
) -> None:
    reached.append(host(CA.certificate + ALICE.certificate))
    own = Path(orion.directory, "ca.pem")
    own.unlink()
    if text is not None:
        own.write_text(text)
    machine = store.read("orion")
    with store.writing("orion") as held:
        for change in (
            lambda: trust_ca(held, Quiet(), Login(), certs.new_ca("machinectl orion bob").certificate),
            lambda: distrust_cas(held, Quiet(), Login(), {DIGEST}),
            lambda: plan_trust(store, machine, Quiet(), Login(), without_cas(machine, {DIGEST}), NOTHING_SPECIAL),
        ):
            with pytest.raises(MachineError) as caught:
                change()
            assert caught.value.cause == f'The CA of "orion", ca.pem, is {fault} here'
            assert caught.value.hint == "Replace them: machinectl provision orion"
    assert reached[-1].jobs == []


def test_nobody_is_let_in_without_the_engines_own_certificate_here(
    store: Store, reached: list[RecordedHost], orion: Machine
) -> None:
    Path(orion.directory, "server.pem").unlink()
    with store.writing("orion") as held, pytest.raises(MachineError, match=r"server\.pem, is missing here") as caught:
        trust_ca(held, Quiet(), Login(), ALICE.certificate)
    assert caught.value.hint == "Replace them: machinectl provision orion"
    # An end needs no certificate of the engine.
    reached.append(host(CA.certificate + ALICE.certificate))
    with store.writing("orion") as held:
        assert distrust_cas(held, Quiet(), Login(), {DIGEST})


def test_files_that_a_killed_command_left_are_put_in_place_before_the_list_is_made(
    store: Store, reached: list[RecordedHost], orion: Machine
) -> None:
    reached.append(host())
    left = Path(orion.directory, COMMITTED)
    left.mkdir(mode=0o700)
    Path(orion.directory, "ca.pem").rename(left / "ca.pem")
    with store.writing("orion") as held:
        assert trust_ca(held, Quiet(), Login(), ALICE.certificate)
    assert reached[-1].sent["1"] == CA.certificate + ALICE.certificate


def test_the_end_of_a_holder_is_also_that_of_what_another_computer_gave_it(
    store: Store, reached: list[RecordedHost]
) -> None:
    theirs, carol = certs.new_ca("machinectl web Alice"), certs.new_ca("machinectl web carol")
    by_hand = certs.new_ca("machinectl CA for alice.lan"), certs.new_ca("our alice")
    reached.append(host(b"".join(ca.certificate for ca in (CA, ALICE, theirs, carol, *by_hand))))
    with store.writing("orion") as held:
        assert distrust_cas(held, Quiet(), Login(), {DIGEST}, NOTHING_SPECIAL, "alice")
    assert reached[-1].sent["1"] == b"".join(ca.certificate for ca in (CA, carol, *by_hand))
    reached.append(host(CA.certificate + theirs.certificate))
    end = without_cas(store.read("orion"), {DIGEST}, "alice")
    assert plan_trust(store, store.read("orion"), Quiet(), Login(), end, NOTHING_SPECIAL).outcomes[0].changed


def test_a_holder_is_taken_out_of_the_list_alone(store: Store, reached: list[RecordedHost]) -> None:
    reached.append(host(CA.certificate + ALICE.certificate))
    console = Quiet()
    with store.writing("orion") as held:
        assert distrust_cas(held, console, Login(), {DIGEST})
    assert console.steps.count("Looking at the host") == 1
    assert manifest(reached[-1])[0] == f"644 {CLIENTS}"
    assert reached[-1].sent["1"] == CA.certificate
    assert "644 /etc/docker/daemon.json" not in manifest(reached[-1])
    # Who is in or out already needs no restart.
    reached.append(host(CA.certificate + ALICE.certificate))
    with store.writing("orion") as held:
        assert not trust_ca(held, Quiet(), Login(), ALICE.certificate)
        assert not distrust_cas(held, Quiet(), Login(), {"0" * 64})
    assert reached[-1].jobs == []


def test_a_ca_that_somebody_added_by_hand_is_named_and_stays(store: Store, reached: list[RecordedHost]) -> None:
    mallory = certs.new_ca("mallory").certificate
    console = Quiet()
    reached.append(host(CA.certificate + ALICE.certificate + mallory))
    with store.writing("orion") as held:
        assert distrust_cas(held, console, Login(), {DIGEST})
    assert reached[-1].sent["1"] == CA.certificate + mallory
    [warning] = console.warnings
    assert 'engine of "orion" also accepts a CA that is not on record here: CN=mallory\n' in warning
    assert f"delete it from {CLIENTS} there" in warning
    planned(store, console)
    assert console.warnings == [warning, warning]


def test_who_was_ended_by_another_computer_is_not_brought_back_by_a_renewal_here(
    store: Store, reached: list[RecordedHost]
) -> None:
    reached.append(host(CA.certificate, b"\n@revision 7 0123456789abcdef 2026-11-27T22:40:00Z bob@pc"))
    with store.writing("orion") as held:
        held.machine.holders = {"alice": AccessHolder("alice", ca=DIGEST).dump()}
        held.write()
    with pytest.raises(MachineError, match=r'The access of "alice" to "orion" was ended by bob@pc'):
        planned(store)
    with store.writing("orion") as held, pytest.raises(MachineError, match=r"ended by bob@pc"):
        trust_ca(held, Quiet(), Login(), ALICE.certificate)
    assert reached[-1].jobs == []
    assert (store.read("orion").holders, [each["who"] for each in store.read("orion").ended]) == ({}, ["alice"])
    with store.writing("orion") as held:
        assert trust_ca(held, Quiet(), Login(), ALICE.certificate)


@pytest.mark.parametrize("is_known", [True, False])
def test_a_lost_list_comes_back_with_a_grant_unless_another_computer_may_have_ended_a_holder(
    store: Store, reached: list[RecordedHost], *, is_known: bool
) -> None:
    with store.writing("orion") as held:
        bob = holder_ca(held, AccessHolder("bob")).certificate
        put_holder(held.machine, AccessHolder("bob", ca=certs.fingerprint(bob)))
        held.machine.revision = {"number": 7, "run": "0123456789abcdef" if is_known else "f" * 16}
        held.write()
    reached.append(host(more=b"\n@revision 7 0123456789abcdef 2026-11-27T22:40:00Z bob@pc"))
    with store.writing("orion") as held:
        assert trust_ca(held, Quiet(), Login(), ALICE.certificate)
    assert reached[-1].sent["1"] == CA.certificate + (bob if is_known else b"") + ALICE.certificate


def suspend(store: Store) -> None:
    with store.writing("orion") as held:
        held.machine.url, held.machine.tls, held.machine.changes = f"ssh://root@{ADDRESS}", False, ()
        held.write()


def test_without_a_listener_a_ca_leaves_the_list_and_no_engine_restarts(
    store: Store, reached: list[RecordedHost]
) -> None:
    suspend(store)
    reached.append(host())
    text = base64.b64encode(CA.certificate + ALICE.certificate)
    more = b"@file 644 0 0 " + CLIENTS.encode() + b"\n|" + text + b"\n@end"
    reached[-1].facts = reached[-1].facts.replace(b"@end", more)
    machine = store.read("orion")
    ending = without_cas(machine, {DIGEST}, "alice")
    plan = plan_trust(store, machine, Quiet(), Login(), ending, NOTHING_SPECIAL)
    assert [outcome.details for outcome in plan.outcomes] == [(f"write {CLIENTS}",)]
    assert reached[-1].jobs == []
    with store.writing("orion") as held:
        assert distrust_cas(held, Quiet(), Login(), {DIGEST}, NOTHING_SPECIAL, "alice")
        assert not distrust_cas(held, Quiet(), Login(), {"0" * 64})
    assert manifest(reached[-1]) == [f"644 {CLIENTS}"]
    assert reached[-1].sent["1"] == CA.certificate
    [job] = reached[-1].jobs
    assert "action=restart" not in job


def test_an_end_without_a_listener_is_not_believed_if_another_computer_made_the_engine_listen(
    store: Store, reached: list[RecordedHost]
) -> None:
    suspend(store)
    reached.append(host(CA.certificate + ALICE.certificate))
    with store.writing("orion") as held, pytest.raises(MachineError, match="Another computer has made") as raised:
        distrust_cas(held, Quiet(), Login(), {DIGEST}, NOTHING_SPECIAL, "alice")
    assert raised.value.hint == "Apply the record here: machinectl provision orion"
    assert reached[-1].jobs == []


@pytest.mark.parametrize("begun", [True, False])
def test_who_was_ended_by_another_computer_after_a_killed_grant_here_is_not_brought_back_by_its_repeat(
    store: Store, reached: list[RecordedHost], begun: bool
) -> None:
    """Not ended is who is added for the first time: nobody has begun to change the host for it."""
    grant = AccessGrant("alice", PERSON, certs.own_public_key(certs.new_key()))
    with store.writing("orion") as held:
        ca = holder_ca(held, AccessHolder("alice")).certificate
        holder = AccessHolder("alice", ca=certs.fingerprint(ca), state=ADDING, since="2026-11-27T22:00:00Z")
        held.machine.holders = {"alice": holder.dump()}
        at = "2026-11-27T22:00:05Z" if begun else "2026-11-27T21:00:00Z"
        held.machine.revision = Revision(6, "fedcba9876543210", at, "me@desk")._asdict()
        held.write()
    reached.append(host(CA.certificate, b"\n@revision 7 0123456789abcdef 2026-11-27T22:40:00Z bob@pc"))
    if begun:
        with store.writing("orion") as held, pytest.raises(MachineError, match=r"was ended by bob@pc"):
            client_of_holder(held, Quiet(), Login(), grant)
        assert reached[-1].jobs == []
        assert store.read("orion").holders == {}
    with store.writing("orion") as held:
        assert client_of_holder(held, Quiet(), Login(), grant)
    alice = find_holder(store.read("orion"), "alice")
    assert alice
    assert alice.state == ACTIVE
    # The ended CA stays out.
    assert (ca in reached[-1].sent["1"]) is not begun


def test_an_engine_that_does_not_come_up_has_its_old_list_and_so_has_the_record(
    store: Store, reached: list[RecordedHost]
) -> None:
    reached.append(host(status=3))
    before = store.read("orion").changes
    with store.writing("orion") as held, pytest.raises(EngineDown, match="with the old one, it runs again"):
        trust_ca(held, Quiet(), Login(), ALICE.certificate)
    assert store.read("orion").changes == before


def test_an_engine_whose_configuration_was_damaged_is_not_restarted(store: Store, reached: list[RecordedHost]) -> None:
    for status, hint in ((0, ""), (7, "Set it up first: machinectl provision orion")):
        reached.append(host(CA.certificate, status=status))
        with store.writing("orion") as held:
            if hint:
                with pytest.raises(MachineError, match="nothing was restarted") as caught:
                    trust_ca(held, Quiet(), Login(), ALICE.certificate)
                assert caught.value.hint == hint
            else:
                assert trust_ca(held, Quiet(), Login(), ALICE.certificate)
        assert "dockerd --validate" in reached[-1].jobs[-1]


def test_an_engine_in_use_waits_for_its_turn(store: Store, reached: list[RecordedHost]) -> None:
    reached.append(host(more=b"\n@container 0a\n"))
    with store.writing("orion") as held, pytest.raises(InUse):
        trust_ca(held, Quiet(), Login(), ALICE.certificate, Allowed(in_use=False))
    assert reached[-1].jobs == []


def test_an_engine_that_could_not_start_again_is_not_restarted(store: Store, reached: list[RecordedHost]) -> None:
    reached.append(host(CA.certificate + ALICE.certificate))
    reached[-1].facts = re.sub(rb"@sum [^\n]*/server\.pem\n", b"", reached[-1].facts)
    with store.writing("orion") as held, pytest.raises(MachineError, match=r"server\.pem is missing") as raised:
        distrust_cas(held, Quiet(), Login(), {DIGEST})
    assert raised.value.hint == "Set it up first: machinectl provision orion"
    assert reached[-1].jobs == []


def test_a_host_that_another_computer_has_set_up_since_is_left_to_it(store: Store, reached: list[RecordedHost]) -> None:
    reached.append(RecordedHost("provisioned"))
    with store.writing("orion") as held, pytest.raises(CheckFailed, match="another computer's CA") as raised:
        distrust_cas(held, Quiet(), Login(), {DIGEST})
    # `provision` without --force is refused, too.
    assert raised.value.hint.endswith(": machinectl provision --force orion")
    assert reached[-1].jobs == []


def test_a_dry_run_names_the_files_and_changes_nothing(store: Store, reached: list[RecordedHost]) -> None:
    reached.append(host())
    plan = planned(store)
    (outcome,) = plan.outcomes
    assert outcome.changed
    assert f"write {CLIENTS}" in outcome.details
    assert reached[-1].jobs == []
    reached.append(host(CA.certificate + ALICE.certificate))
    assert [each.changed for each in planned(store).outcomes] == [False]


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (timedelta(days=8), "8 days ahead of the clock here"),
        (timedelta(days=-3), "3 days behind the clock here"),
        (timedelta(days=1000), "1000 days ahead of the clock here"),
    ],
)
def test_nobody_is_let_in_by_a_certificate_that_the_hosts_clock_refuses(
    store: Store, reached: list[RecordedHost], ahead: timedelta, words: str
) -> None:
    reached.append(with_clock(host(CA.certificate + ALICE.certificate), ahead))
    until = datetime.now(UTC) + timedelta(days=7)
    with store.writing("orion") as held, pytest.raises(CheckFailed, match=words) as raised:
        trust_ca(held, Quiet(), Login(), ALICE.certificate, until=until)
    assert raised.value.hint == f"Correct the clock that is wrong, here or there, {BY_SERVICE}: {SET_CLOCK}"
    with pytest.raises(CheckFailed, match=words):
        planned(store, until=until)
    assert reached[-1].jobs == []


@pytest.mark.parametrize("ahead", [timedelta(days=1000), timedelta(days=-1000)])
def test_a_holder_is_ended_whatever_the_hosts_clock_says(
    store: Store, reached: list[RecordedHost], ahead: timedelta
) -> None:
    reached.append(with_clock(host(CA.certificate + ALICE.certificate), ahead))
    with store.writing("orion") as held:
        assert distrust_cas(held, Quiet(), Login(), {DIGEST})
    assert reached[-1].sent["1"] == CA.certificate
