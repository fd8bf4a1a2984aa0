"""What another computer changed on a host is taken into the record, and never put back by one that does not know it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from machinectl import certs
from machinectl.engine import Probe
from machinectl.errors import CheckFailed, Declined, MachineError
from machinectl.hosts.engine_restart import World
from machinectl.hosts.holder_cas import holder_ca, stored_ca
from machinectl.hosts.host_owner import SERVER
from machinectl.hosts.host_run import DryRun, RealRun
from machinectl.hosts.identity import Identity
from machinectl.hosts.setup import Setup
from machinectl.machines.engine_options import EngineOptions
from machinectl.machines.holders import AccessHolder, HolderKey, holders_of, put_holder
from machinectl.machines.record import Machine, Phase
from machinectl.provision.client_cas import CLIENTS
from machinectl.provision.decision import EngineDown
from machinectl.provision.facts.host_facts import parse_facts
from machinectl.provision.host_changes import CaTrusted, FileCreated, of_kind
from machinectl.provision.revision import PATH, Revision
from machinectl.provision.target import Allowed
from machinectl.state import State
from tests.support.quiet import Quiet
from tests.support.registered import added
from tests.support.runner import RecordedHost

if TYPE_CHECKING:
    from machinectl.machines.store import Store
    from machinectl.provision.facts.host_facts import Facts

ALICE = "alice@laptop"
SETUP = Setup(world=World(lambda _: None, lambda _, __: Probe(State.RUNNING), lambda _, __: None))
OPTIONS = {"options": ["log-level=info", "debug=true"]}


@pytest.fixture
def host(store: Store) -> RecordedHost:
    """A host that this computer has set up, with a label and options."""
    new = Machine("orion", "generic", url="tcp://192.168.0.29:2376", tls=True)
    new.phase = Phase.CREATING
    new.labels = {"role": "web"}
    new.engine = EngineOptions.load({"install": "distro", **OPTIONS})
    added(store, new)
    there = RecordedHost("docker")
    carry_out(store, there)
    return there


def carry_out(store: Store, host: RecordedHost) -> Quiet:
    console = Quiet()
    with store.writing("orion") as held:
        SETUP.carry_out(RealRun(held, console, host))
    return console


def take_over(store: Store, host: RecordedHost) -> Quiet:
    console = Quiet()
    with store.writing("orion") as held:
        replace(SETUP, allowed=Allowed(take_over=True)).carry_out(RealRun(held, console, host))
    return console


def adopted(store: Store, host: RecordedHost, facts: Facts | None = None) -> Quiet:
    """What a real run adopts that gives way."""
    console = Quiet()
    with store.writing("orion") as held:
        run = RealRun(held, console, host)
        run.host, run.gives_way = facts or parse_facts(host.facts), True
        run.catch_up()
    return console


def changed_by_alice(store: Store, host: RecordedHost, number: int, state: Any, ca: bytes = b"") -> None:
    """What the host says when another computer has changed it."""
    ca = ca or Identity.read(store.directory("orion")).ca
    line = f"{number} 0123456789abcdef 2026-11-27T22:40:00Z {ALICE}"
    facts = f"@revision {line}\n@sum 644 0 0 {hashlib.sha256(ca).hexdigest()} /etc/docker/machinectl/ca.pem\n@end"
    host.facts = RecordedHost("docker").facts.replace(b"@end", facts.encode())
    host.revision = f"{line}\n{json.dumps(state)}\n".encode()


def asked(store: Store) -> tuple[dict[str, Any], dict[str, str]]:
    machine = store.read("orion")
    return machine.engine.dump(), machine.labels


def test_a_change_leaves_its_number_and_what_was_asked_on_the_host(store: Store, host: RecordedHost) -> None:
    manifest = host.sent["manifest"].decode().splitlines()
    assert manifest[-1] == f"600 {PATH}"
    line, _, text = host.sent[str(len(manifest))].decode().partition("\n")
    machine, left, state = store.read("orion"), Revision.parse(line), json.loads(text)
    assert (left.number, left) == (1, Revision.of_record(machine.revision))
    assert (state["engine"], state["labels"]) == (OPTIONS, {"role": "web"})
    assert FileCreated(PATH).about in {change.about for change in of_kind(machine.changes, FileCreated)}
    assert len(state["changes"]) == len(machine.changes)


def test_what_another_computer_changed_is_refused_until_the_record_gives_way(store: Store, host: RecordedHost) -> None:
    theirs = {"install": "none", "registry_mirrors": ["https://mirror"]}
    changes = [{"kind": "file", "path": "/etc/docker/machinectl/environment"}]
    changed_by_alice(store, host, 4, {"engine": theirs, "labels": {"role": "db"}, "changes": changes})
    before, jobs = store.read("orion").dump(), [*host.jobs]
    last = f'The host of "orion" was changed by {ALICE} at 2026-11-27 22:40:00 UTC (revision 4, this record knew 1)'
    for dry_run in (True, False):
        with store.writing("orion") as held, pytest.raises(MachineError) as refused:
            SETUP.carry_out(DryRun(store, held.machine, Quiet(), host) if dry_run else RealRun(held, Quiet(), host))
        assert refused.value.cause == last
        assert refused.value.hint.endswith("machinectl provision --take-over orion")
        assert (store.read("orion").dump(), host.jobs) == (before, jobs)
    assert take_over(store, host).warnings[0] == last
    # How the engine was installed is everybody's own.
    assert asked(store) == ({**theirs, "install": "distro"}, {"role": "db"})
    assert FileCreated("/etc/docker/machinectl/environment") in store.read("orion").changes
    # The change that follows is the next one, and nothing is news any more.
    assert Revision.of_record(store.read("orion").revision).number == 5


def test_what_set_changed_since_an_import_stays(store: Store, host: RecordedHost) -> None:
    """An import leaves the list of changes on the host, which the next run reads there."""
    changed_by_alice(store, host, 4, {"engine": OPTIONS, "labels": {"role": "web"}, "changes": []})
    wanted = {"install": "distro", "options": ["log-level=warn"]}
    with store.writing("orion") as held:
        held.machine.changes = ()
        held.machine.revision = Revision.parse(host.revision.decode().partition("\n")[0])._asdict()
        held.machine.engine = EngineOptions.load(wanted)
        held.machine.labels = {"role": "db"}
        held.write()
        run = RealRun(held, Quiet(), host)
        run.host = parse_facts(host.facts)
        run.catch_up()
    assert asked(store) == (wanted, {"role": "db"})


def listing(host: RecordedHost, *cas: bytes) -> None:
    """Let the host have a list of CAs whose clients its engine accepts."""
    content = base64.encodebytes(b"".join(cas)).decode().replace("\n", "\n|")
    host.facts = host.facts.replace(b"@end", f"@file 644 0 0 {CLIENTS}\n|{content}\n@end".encode())


def add_holders(store: Store, *names: str) -> None:
    with store.writing("orion") as held:
        for who in names:
            ca = holder_ca(held, AccessHolder(who)).certificate
            put_holder(held.machine, AccessHolder(who, ca=certs.fingerprint(ca)))
        held.write()


def test_a_holder_that_another_computer_has_ended_gets_no_access_back_from_here(
    store: Store, host: RecordedHost
) -> None:
    add_holders(store, "bob", "carol")
    machine = store.read("orion")
    own, carols = Identity.read(machine.directory).ca, stored_ca(machine, AccessHolder("carol"))
    changed_by_alice(store, host, 4, {"engine": OPTIONS, "labels": {"role": "web"}, "changes": []})
    # A list that is damaged says of nobody that it is ended.
    for damaged in ((carols,), (own, carols, b"-----BEGIN CERTIFICATE-----\nx\n")):
        facts = host.facts
        listing(host, *damaged)
        run = DryRun(store, store.read("orion"), Quiet(), host)
        run.host, run.gives_way = parse_facts(host.facts), True
        run.catch_up()
        assert "access ended" not in run.outcomes[0].title
        host.facts = facts
    listing(host, own, carols)
    console = take_over(store, host)
    assert any(line.endswith("; access ended there: bob") for line in console.warnings)
    machine = store.read("orion")
    assert [holder.who for holder in holders_of(machine)] == ["carol"]
    assert [each["who"] for each in machine.ended] == ["bob"]
    assert os.listdir(os.path.join(machine.directory, "holders")) == ["carol"]


def test_holders_that_the_list_of_a_host_without_a_listener_lacks_leave_the_record(
    store: Store, host: RecordedHost
) -> None:
    add_holders(store, "bob", "carol")
    machine = store.read("orion")
    listing(host, Identity.read(machine.directory).ca, stored_ca(machine, AccessHolder("carol")))
    facts = replace(parse_facts(host.facts), sums={})
    dry_run = DryRun(store, machine, Quiet(), host)
    dry_run.host = facts
    dry_run.catch_up()
    assert [outcome.title for outcome in dry_run.outcomes] == [
        'Another computer has ended the access of bob to "orion"'
    ]
    assert len(holders_of(store.read("orion"))) == 2
    assert adopted(store, host, facts).warnings == ['Another computer has ended the access of bob to "orion"']
    assert [holder.who for holder in holders_of(store.read("orion"))] == ["carol"]
    assert os.listdir(os.path.join(machine.directory, "holders")) == ["carol"]


def test_a_host_without_a_list_gives_nobody_access_back_unasked(store: Store, host: RecordedHost) -> None:
    with store.writing("orion") as held:
        ca = holder_ca(held, AccessHolder("bob")).certificate
        key = HolderKey("b" * 64, "2999-01-01T00:00:00Z")
        put_holder(held.machine, AccessHolder("bob", ca=certs.fingerprint(ca), keys=(key,)))
        held.write()
    console, jobs = Quiet(False), [*host.jobs]
    with store.writing("orion") as held, pytest.raises(Declined):
        SETUP.carry_out(RealRun(held, console, host))
    assert "bob would get it back by the record here, even if another computer has ended it" in console.warnings[-1]
    assert host.jobs == jobs
    # Nobody is asked: it is done, and the dry run says what would be.
    agreed = replace(SETUP, allowed=Allowed(yes=True))
    planned, done = Quiet(), Quiet()
    agreed.carry_out(DryRun(store, store.read("orion"), planned, host))
    assert any("bob would get it back" in line for line in planned.warnings)
    with store.writing("orion") as held:
        agreed.carry_out(RealRun(held, done, host))
    assert any("bob would get it back by the record here" in line for line in done.warnings)
    # Nobody else can have changed the host since.
    host.facts = host.facts.replace(b"@end", b"@revision 1 0123456789abcdef 2026-11-27T22:40:00Z bob@pc\n@end")
    with store.writing("orion") as held:
        held.machine.revision = {"number": 1, "run": "0123456789abcdef"}
        held.write()
    assert not any("has no list" in line for line in carry_out(store, host).warnings)


def test_what_an_engine_in_use_refused_is_left_on_its_host_for_nobody(store: Store, host: RecordedHost) -> None:
    idle = RecordedHost("docker-with-a-container").facts
    borrowed = idle.replace(b'"LiveRestoreEnabled":false', b'"LiveRestoreEnabled":true')
    assert borrowed != idle
    jobs: list[tuple[bool, bool]] = []

    def at_work() -> None:
        manifest = host.sent["manifest"].decode()
        configures = "server.pem" in manifest
        jobs.append((configures, PATH in manifest))
        host.facts, host.status = borrowed, 3 if configures else 0

    host.facts, host.at_work = idle, at_work
    with pytest.raises(EngineDown):
        carry_out(store, host)
    # Live-restore is borrowed and given back around it; only the job that was undone had a revision beside it.
    assert jobs == [(False, False), (True, True), (False, False)]


GIVEN = {"options": ["debug=false"], "env": ["A=2"], "insecure_registries": ["new:5000"], "tls_sans": ["new.lan"]}
REMAINING = {"env": ["A=1"], "insecure_registries": ["old:5000"], "registry_mirrors": ["https://mirror"]}


def given_to_create(phase: str) -> Machine:
    new = Machine("orion", "generic", url="tcp://192.168.0.29:2376", tls=True)
    new.phase, new.labels, new.engine = phase, {"role": "db"}, EngineOptions.load(GIVEN)
    return new


@pytest.mark.parametrize("phase", [Phase.PROVISIONING, Phase.READY])
@pytest.mark.parametrize("is_removed", [True, False])
def test_what_create_was_given_wins_over_what_the_host_remembers(
    store: Store, host: RecordedHost, phase: str, is_removed: bool
) -> None:
    """After `rm` and after an adoption; READY is what --no-provision registered."""
    identity = Identity.read(store.directory("orion"))
    changes = [change.dump() for change in store.read("orion").changes]
    state = {"engine": {**OPTIONS, **REMAINING}, "labels": {"role": "web", "floor": "2"}, "changes": changes}
    changed_by_alice(store, host, 4, state)
    served = hashlib.sha256(identity.server + identity.server_key).hexdigest()
    host.facts = host.facts.replace(b"@end", f"@sum 644 0 0 {served} {SERVER}\n@end".encode())
    with store.writing("orion") as held:
        if is_removed:
            held.set_aside()
        else:
            held.remove()
    added(store, given_to_create(phase), {} if is_removed else identity.present)

    machine = store.read("orion")
    dry = DryRun(store, machine, Quiet(), host)
    SETUP.carry_out(dry)
    console = carry_out(store, host)

    expected = ({**GIVEN, "registry_mirrors": ["https://mirror"]}, {"role": "db", "floor": "2"})
    assert asked(store) == expected == (dry.machine.engine.dump(), dry.machine.labels)
    [warning] = [line for line in console.warnings if ALICE in line]
    assert warning.endswith(")")
    state = json.loads(host.sent[str(len(host.sent["manifest"].splitlines()))].partition(b"\n")[2])
    # The names in its certificate are each computer's own.
    shared = {key: value for key, value in expected[0].items() if key != "tls_sans"}
    assert (state["engine"], state["labels"]) == (shared, expected[1])
    assert "new.lan" in certs.describe(Identity.read(store.directory("orion")).server).sans


def test_the_last_run_of_a_removed_machine_is_not_told_as_anothers_change(store: Store, host: RecordedHost) -> None:
    identity = Identity.read(store.directory("orion"))
    changed_by_alice(store, host, 4, {"engine": REMAINING, "labels": {"floor": "2"}, "changes": []})
    served = hashlib.sha256(identity.server + identity.server_key).hexdigest()
    host.facts = host.facts.replace(b"@end", f"@sum 644 0 0 {served} {SERVER}\n@end".encode())
    with store.writing("orion") as held:
        # Here, it is this computer's own run.
        held.machine.revision = Revision.parse(host.revision.decode().partition("\n")[0])._asdict()
        held.write()
        held.set_aside()
    added(store, given_to_create(Phase.PROVISIONING))

    dry = SETUP.carry_out(DryRun(store, store.read("orion"), Quiet(), host))
    console = carry_out(store, host)

    assert not [line for line in console.warnings if ALICE in line]
    assert not [outcome for outcome in dry.outcomes if ALICE in outcome.title]
    assert console.notes[0] == 'The host was set up here before, as "orion-2": continuing with that'


@pytest.mark.parametrize(
    "state",
    [
        "no object",
        [],
        {"engine": 1, "labels": [1], "changes": 2, "server": 3},
        {"engine": {"bind": "no address"}, "labels": {}},
        {"engine": {"options": ["tls=false"]}, "labels": {}},
        {"engine": {"registry_mirrors": ["\x1b[2J"]}, "labels": {}},
        {"engine": {"\ud800": 1}, "labels": {}},
        {"engine": {}, "labels": {"role": "\ud800"}},
        {"engine": {}, "labels": {"role": "x" * (1 << 20)}},
        {"engine": OPTIONS, "labels": {"role": "web"}, "server": "\ud800"},
    ],
)
def test_a_file_that_is_not_understood_changes_no_setting(store: Store, host: RecordedHost, state: Any) -> None:
    changed_by_alice(store, host, 2, state)
    before = asked(store)
    take_over(store, host)
    assert asked(store) == before


def test_a_host_gets_no_certificate_for_another_one_by_asking(store: Store, host: RecordedHost) -> None:
    """Its CA may be that of many machines."""
    own = Identity.read(store.directory("orion"))
    signed = certs.issue_server(certs.Pair(own.ca, own.ca_key), ["192.168.0.29", "Orion.lan"])
    server = signed.certificate + signed.key
    state = {"engine": {"tls_sans": ["Orion.lan", "vega.lan"]}, "labels": {}, "server": server.decode()}
    changed_by_alice(store, host, 2, state)
    sum_there = f"@sum 644 0 0 {hashlib.sha256(server).hexdigest()} /etc/docker/machinectl/server.pem\n@end"
    host.facts = host.facts.replace(b"@end", sum_there.encode())
    take_over(store, host)
    assert store.read("orion").engine.tls_sans == ()
    assert certs.describe(Identity.read(store.directory("orion")).server) == certs.describe(signed.certificate)


def test_a_host_without_a_revision_gets_one_and_nobody_else_adopts_it_before(store: Store, host: RecordedHost) -> None:
    changed_by_alice(store, host, 1, {})
    configured = host.facts.replace(b"@revision", b"@once-was")
    new = Machine("rigel", "generic", url="tcp://192.168.0.29:2376", tls=True)
    added(store, new, Identity.read(store.directory("orion")).present)
    host.facts, host.jobs = configured, []
    with store.writing("rigel") as held, pytest.raises(CheckFailed, match="left no record") as raised:
        SETUP.carry_out(RealRun(held, Quiet(), host))
    assert raised.value.hint == "On that computer, first run: machinectl provision rigel"
    assert host.jobs == []


def test_the_settings_of_whoever_has_another_ca_are_not_taken(store: Store, host: RecordedHost) -> None:
    before = asked(store)
    changed_by_alice(store, host, 9, {"engine": {}, "labels": {}, "changes": []}, ca=b"another CA")
    carry_out(store, host)
    assert asked(store) == before
    assert len(of_kind(store.read("orion").changes, CaTrusted)) == 1


@pytest.mark.parametrize(
    ("line", "number"), [("7 r 2026 a@b", 7), ("", 0), ("-1 r", 0), ("x", 0), ("\u0664 r", 0), ("9" * 40, 0)]
)
def test_a_line_that_is_no_revision_is_revision_0(line: str, number: int) -> None:
    assert Revision.parse(line).number == number


def test_of_two_revisions_with_a_number_the_one_on_the_host_is_news() -> None:
    mine, theirs = Revision(3, "mine"), Revision(3, "theirs")
    assert theirs.is_news_to(mine)
    assert not mine.is_news_to(mine)
    assert not Revision(2, "older").is_news_to(mine)
    assert not Revision().is_news_to(Revision())
    # A number alone is what an engine that stopped listening has left.
    assert not Revision(9).is_news_to(mine)
