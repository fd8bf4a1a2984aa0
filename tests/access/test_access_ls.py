"""`access ls`: who has access to machines, by the records of this computer."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.access.access_rows import list_access
from machinectl.machines.holders import (
    ADDING,
    ENDING,
    EXPIRES,
    TOOL,
    AccessHolder,
    HolderKey,
    put_holder,
)
from machinectl.machines.record import Machine
from tests.support.in_process import machinectl
from tests.support.registered import added

if TYPE_CHECKING:
    from machinectl.machines.store import Store

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
BY, SINCE = "bob@desk", "2026-11-27T09:00:00Z"


def holder(who: str, *keys: HolderKey, state: str = "", kind: str = "person") -> AccessHolder:
    return AccessHolder(who, kind, "ca", state, BY, SINCE, keys)


def shared_machine(store: Store) -> Machine:
    machine = Machine("orionbox", "generic", url="tcp://192.0.2.1:2376", tls=True)
    put_holder(machine, holder("dozzle", HolderKey("d" * 64, "2096-12-20T09:00:00Z"), kind=TOOL))
    put_holder(machine, holder("alice", HolderKey("a" * 64, "2096-12-05T09:00:00Z", "r1")))
    put_holder(machine, holder("eve", HolderKey("e" * 64, "2026-11-28T11:59:00Z")))
    put_holder(machine, holder("frank", HolderKey("f" * 64, "2096-12-05T09:00:00Z"), state=ENDING))
    put_holder(machine, holder("grace", state=ADDING))
    put_holder(machine, holder("heidi", HolderKey("0" * 64, "2096-12-05T09:00:00Z"), state=EXPIRES))
    return added(store, machine)


def test_each_key_is_a_line_with_its_holder_and_state(store: Store) -> None:
    shared_machine(store)
    assert [row.cells() for row in list_access(store, [], now=NOW)] == [
        ["orionbox", "alice", "2096-12-05 09:00", BY, "a" * 16, ""],
        ["orionbox", "dozzle", "2096-12-20 09:00", BY, "d" * 16, ""],
        ["orionbox", "eve", "2026-11-28 11:59", BY, "e" * 16, "expired"],
        ["orionbox", "frank", "2096-12-05 09:00", BY, "f" * 16, "not ended yet"],
        ["orionbox", "grace", "", BY, "", "not added yet"],
        ["orionbox", "heidi", "2096-12-05 09:00", BY, "0" * 16, "can only expire"],
    ]


def test_this_computer_is_the_owner_of_a_machine_whose_ca_it_has(store: Store) -> None:
    ca = certs.new_ca("machinectl rigel")
    client = certs.issue_client(ca, "rigel")
    files = {"ca.pem": ca.certificate, "ca-key.pem": ca.key, "cert.pem": client.certificate, "key.pem": client.key}
    added(store, Machine("rigel", "generic", url="tcp://192.0.2.2:2376", tls=True), files)
    added(store, Machine("lent", "none", url="tcp://192.0.2.3:2376", tls=True), {"cert.pem": client.certificate})
    [row] = list_access(store, [])
    assert (row.machine, row.holder, row.can_end) == ("rigel", "owner", False)
    assert row.key == certs.public_key_digest(client.certificate)
    assert datetime.fromisoformat(row.until) == certs.describe(client.certificate).not_after


def test_without_a_listener_access_that_would_work_is_suspended(store: Store) -> None:
    machine = shared_machine(store)
    with store.writing(machine.name) as held:
        held.machine.url, held.machine.tls = "ssh://root@192.0.2.1", False
        held.write()
    states = {row.holder: (row.state, row.cells()[-1]) for row in list_access(store, [], now=NOW)}
    assert states["alice"] == states["dozzle"] == ("suspended", "suspended (ssh-only)")
    assert [states[who][0] for who in ("eve", "frank", "grace")] == ["expired", "ending", "adding"]
    done = machinectl("access", "ls", "--json", store=store.root)
    assert {row["Holder"]: row["State"] for row in json.loads(done.stdout)}["alice"] == "suspended"


def test_programs_get_whole_fingerprints_and_states(store: Store) -> None:
    shared_machine(store)
    done = machinectl("access", "ls", "orionbox", "--json", store=store.root)
    assert (done.returncode, done.stderr) == (0, "")
    rows = {row["Holder"]: row for row in json.loads(done.stdout)}
    assert rows["alice"]["Key"] == "a" * 64
    assert (rows["heidi"]["State"], rows["heidi"]["CanEnd"]) in {("active", False), ("expired", False)}
    assert {rows["frank"]["State"], rows["grace"]["State"]} == {"ending", "adding"}


def test_a_machine_that_is_not_there_is_an_error_and_an_unreadable_one_only_if_named(store: Store) -> None:
    machine = shared_machine(store)
    with store.writing("broken") as held:
        held.add(Machine("broken", "none", url="tcp://192.0.2.9:2376", tls=True), {})
        held.write_file("machine.json", b"{")
    assert {row.machine for row in list_access(store, [])} == {machine.name}
    for name in ("broken", "ghost"):
        done = machinectl("access", "ls", name, store=store.root)
        assert done.returncode == 1
        assert name in done.stderr


def test_rm_says_whose_access_stays_valid(store: Store) -> None:
    url = "tcp://192.0.2.2:2376"
    machine = Machine("rigel", "none", url=url, tls=True, driver_state=f'{{"URL": "{url}"}}')
    put_holder(machine, holder("eve", HolderKey("e" * 64, "2020-01-01T00:00:00Z")))
    put_holder(machine, holder("alice", HolderKey("a" * 64, "2999-01-01T09:30:00Z")))
    added(store, machine)
    asked = machinectl("rm", "rigel", store=store.root, stdin="n\n").stderr
    assert "End it first: machinectl access end alice rigel" in " ".join(asked.split())
    said = machinectl("rm", "-y", "rigel", store=store.root).stderr
    assert 'alice will still have access to the host of "rigel", until 2999-01-01 09:30 UTC' in said
    assert "access end" not in said
