"""Holders of a machine: what is on record, on disk and in a certificate, at each step and after a failure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from machinectl import certs
from machinectl.access import ending, granting
from machinectl.access.ending import end_access
from machinectl.access.granting import AccessGrant, client_of_holder
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.hosts.certificate_files import signed
from machinectl.hosts.holder_cas import ending_cas, finish_endings, trusted_cas
from machinectl.hosts.login import Login
from machinectl.machines.holders import (
    PERSON,
    TOOL,
    find_holder,
)
from machinectl.machines.record import Machine
from machinectl.provision.decision import NotRestarted, RolledBack
from tests.support.quiet import Quiet
from tests.support.registered import added

if TYPE_CHECKING:
    from machinectl.machines.store import Store

SSH_STATE = '{"IPAddress": "192.0.2.29", "SSHUser": "root", "SSHPort": 22, "EnginePort": 2376}'
URL = "tcp://192.0.2.2:2376"


def public_key() -> certs.PublicKey:
    return certs.own_public_key(certs.new_key())


KEY = public_key()
ALICE = AccessGrant("alice", PERSON, KEY, request="r1")


class Host:
    """An engine's list of CAs; an error in `fails` is raised instead of a change."""

    def __init__(self) -> None:
        self.accepted: set[str] = set()
        self.seen: list[tuple[str, Any]] = []
        self.fails: BaseException | None = None

    def trust_ca(self, held: Any, _console: object, _access: object, ca: bytes, *_: object, **__: object) -> bool:
        self._change(held)
        digest = certs.fingerprint(ca)
        is_new = digest not in self.accepted
        self.accepted.add(digest)
        return is_new

    def distrust_cas(self, held: Any, _console: object, _access: object, cas: set[str], *_: object) -> bool:
        self._change(held)
        self.accepted -= cas
        return True

    def _change(self, held: Any) -> None:
        self.seen.append((held.name, held.store.read(held.name).holders))
        if self.fails:
            raise self.fails


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    found = Host()
    monkeypatch.setattr(granting, "trust_ca", found.trust_ca)
    monkeypatch.setattr(ending, "distrust_cas", found.distrust_cas)
    return found


@pytest.fixture(autouse=True)
def orion(store: Store) -> Machine:
    return made(store, Machine("orion", "generic", url="tcp://192.0.2.29:2376", tls=True, driver_state=SSH_STATE))


def made(store: Store, machine: Machine, *without: str) -> Machine:
    ca = certs.new_ca("machinectl orion")
    files = signed(ca, certs.issue_server(ca, ["192.0.2.29"]), certs.issue_client(ca, "orion")).present
    return added(store, machine, {name: data for name, data in files.items() if name not in without})


def give(store: Store, grant: AccessGrant = ALICE, name: str = "orion") -> bytes:
    with store.writing(name) as held:
        return client_of_holder(held, Quiet(), Login(), grant)


def end(store: Store, who: str, name: str = "orion") -> object:
    with store.writing(name) as held:
        return end_access(held, Quiet(), Login(), who)


def ca_path(machine: Machine, file: str = "ca.pem", who: str = "alice") -> Path:
    return Path(machine.directory, "holders", who, file)


def test_a_holder_gets_a_ca_of_its_own_that_the_engine_accepts(store: Store, host: Host, orion: Machine) -> None:
    certificate = certs.describe(give(store))
    alice = find_holder(store.read("orion"), "alice")
    assert alice is not None
    assert host.accepted == {alice.ca} == {certs.fingerprint(ca_path(orion).read_bytes())}
    assert (certificate.subject, certificate.issuer) == ("CN=alice", "CN=machinectl orion alice")
    assert certificate.usages == ("clientAuth",)
    assert (alice.state, alice.kind, "@" in alice.by) == ("", "person", True)
    [key] = alice.keys
    assert (key.key, key.request) == (KEY.digest, "r1")
    assert datetime.fromisoformat(key.until) == certificate.not_after


def test_another_key_of_a_holder_is_signed_by_the_same_ca(store: Store, host: Host, orion: Machine) -> None:
    give(store)
    give(store, replace(ALICE, who="Alice", public_key=public_key()))
    give(store)
    alice = find_holder(store.read("orion"), "alice")
    assert alice is not None
    assert len(alice.keys) == 2
    assert host.accepted == {alice.ca}
    assert [path.name for path in ca_path(orion).parent.parent.iterdir()] == ["alice"]


@pytest.mark.parametrize(
    ("grant", "default", "days"), [(ALICE, "", 7), (replace(ALICE, kind=TOOL), "", 30), (ALICE, "2w", 14)]
)
def test_a_certificate_lives_as_long_as_its_kind_or_the_machine_says(
    store: Store, host: Host, grant: AccessGrant, default: str, days: int
) -> None:
    with store.writing("orion") as held:
        held.machine.lifetime = default
        held.write()
    left = certs.describe(give(store, grant)).not_after - datetime.now(UTC)
    assert timedelta(days=days, minutes=-5) < left <= timedelta(days=days)
    short = certs.describe(give(store, replace(grant, lifetime=60))).not_after - datetime.now(UTC)
    assert short <= timedelta(seconds=60)
    assert host.accepted


@pytest.mark.parametrize("failure", [MachineError("refused"), RolledBack("full"), NotRestarted("refused")])
def test_a_failure_that_leaves_the_host_as_it_was_leaves_no_holder(
    store: Store, host: Host, orion: Machine, monkeypatch: pytest.MonkeyPatch, failure: MachineError
) -> None:
    """The revision has begun if the host has restored its files."""

    def refuse(held: Any, *_: object, **__: object) -> bool:
        if not host.fails:
            held.machine.revision = {"revision": 2}
        raise failure

    host.fails = failure if type(failure) is MachineError else None
    monkeypatch.setattr(granting, "trust_ca", refuse)
    with pytest.raises(type(failure)):
        give(store)
    assert store.read("orion").holders == {}
    assert not ca_path(orion).parent.exists()


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), MachineError("connection lost")])
def test_what_ends_in_the_middle_is_finished_by_the_same_command(
    store: Store, host: Host, orion: Machine, failure: BaseException
) -> None:
    def begin(held: Any, *_: object, **__: object) -> bool:
        held.machine.revision = {"revision": 2}
        held.write()
        raise failure

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(granting, "trust_ca", begin)
        with pytest.raises(type(failure)):
            give(store)
    alice = find_holder(store.read("orion"), "alice")
    assert alice is not None
    assert alice.state == "adding"
    assert trusted_cas(store.read("orion")) == (ca_path(orion).read_bytes(),)
    assert certs.describe(give(store)).subject == "CN=alice"
    assert host.accepted == {alice.ca}


def test_an_ended_holder_is_out_on_the_host_then_on_record(store: Store, host: Host, orion: Machine) -> None:
    give(store)
    assert end(store, "ALICE") == "alice"
    assert host.seen[-1][1]["alice"]["state"] == "ending"
    assert host.accepted == set()
    assert store.read("orion").holders == {}
    assert not ca_path(orion).parent.exists()


def test_an_ending_that_failed_is_finished_later_and_gives_no_new_certificate(
    store: Store, host: Host, orion: Machine
) -> None:
    give(store)
    host.fails = MachineError("port 22 refused the connection", Hint("", "machinectl doctor orion"))
    with pytest.raises(MachineError) as caught:
        end(store, "alice")
    assert "machinectl access end alice orion" in caught.value.hint
    machine = store.read("orion")
    assert ending_cas(machine) == host.accepted
    assert trusted_cas(machine) == ()
    host.fails = None
    with pytest.raises(MachineError, match="being ended"):
        give(store)
    with store.writing("orion") as held:
        assert finish_endings(held) == ["alice"]
    assert store.read("orion").holders == {}
    assert not ca_path(orion).parent.exists()


def test_this_computers_own_access_is_not_ended(store: Store, host: Host) -> None:
    with pytest.raises(UsageError) as caught:
        end(store, "owner")
    assert "regenerate-certs --new-ca orion" in caught.value.hint
    assert host.seen == []


def test_a_machine_without_ssh_signs_with_its_own_ca_and_cannot_end_it(store: Store, host: Host) -> None:
    made(
        store,
        Machine("rigel", "none", url="tcp://192.0.2.2:2376", tls=True, driver_state='{"URL": "tcp://192.0.2.2:2376"}'),
    )
    certificate = certs.describe(give(store, name="rigel"))
    assert certificate.issuer == "CN=machinectl orion"
    alice = find_holder(store.read("rigel"), "alice")
    assert alice is not None
    assert (alice.state, alice.ca, len(alice.keys)) == ("expires", "", 1)
    with pytest.raises(MachineError, match="can only expire"):
        end(store, "alice", "rigel")
    assert host.seen == []


def test_a_damaged_ca_is_ended_before_there_is_a_new_one(store: Store, host: Host, orion: Machine) -> None:
    give(store)
    ca_path(orion, "ca-key.pem").unlink()
    with pytest.raises(MachineError) as caught:
        give(store)
    assert "machinectl access end alice orion" in caught.value.hint
    end(store, "alice")
    give(store, replace(ALICE, public_key=public_key()))
    assert len(host.accepted) == 1
