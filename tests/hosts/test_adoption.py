"""A host is one machine's: another one is told whose, and goes on with what was removed."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from machinectl.changes import CaGiven, FileMade
from machinectl.errors import CheckFailed
from machinectl.hosts.adoption import check_alone, forget_predecessors, predecessor
from machinectl.machines.record import Machine
from machinectl.provision.facts import OWN_DIRECTORY, Facts, Sum
from tests.support.registered import added

if TYPE_CHECKING:
    from machinectl.machines.store import Store

CA = b"the CA of orion"
GIVEN = CaGiven(hashlib.sha256(CA).hexdigest())
HOST = Facts(
    uid=0,
    clock=0,
    kernel="Linux",
    arch="x86_64",
    hostname="orion",
    machine_id="0",
    os_release={},
    init="systemd",
    sums={f"{OWN_DIRECTORY}/ca.pem": Sum("644", 0, 0, GIVEN.subject)},
)


def machine(store: Store, name: str, *, changed: bool) -> Machine:
    made = Machine(name, "generic")
    made.changes = (FileMade("/etc/docker/daemon.json"), GIVEN) if changed else ()
    return added(store, made, {"ca.pem": CA})


def test_a_second_name_for_a_host_is_told_the_first(store: Store) -> None:
    machine(store, "orion", changed=True)
    with pytest.raises(CheckFailed, match='that of the machine "orion" already') as raised:
        check_alone(store, Machine("rigel", "generic"), HOST)
    assert "machinectl rename orion rigel" in raised.value.hint


def test_who_set_the_host_up_has_it_beside_those_that_are_only_let_in(store: Store) -> None:
    machine(store, "twin", changed=False)
    check_alone(store, machine(store, "orion", changed=True), HOST)
    check_alone(store, Machine("rigel", "generic"), replace(HOST, sums={}))


def test_a_new_machine_goes_on_with_the_removed_one_and_no_other_does(store: Store) -> None:
    machine(store, "orion", changed=True)
    with store.writing("orion") as held:
        held.set_aside()
    found = predecessor(store, Machine("rigel", "generic"), HOST)
    assert found
    assert (found.name, found.changes) == ("orion", (FileMade("/etc/docker/daemon.json"), GIVEN))
    with_history = Machine("vega", "generic")
    with_history.changes = (FileMade("/etc/docker/other"),)
    assert predecessor(store, with_history, HOST) is None
    forget_predecessors(store, with_history)
    assert [kept.name for kept in store.removed()] == ["orion"]
    forget_predecessors(store, found)
    assert store.removed() == []
