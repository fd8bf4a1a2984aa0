"""Holders that end along with a provisioning or a renewal of certificates, and what is on record of them meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl import certs
from machinectl.check import Verdict
from machinectl.commands.renew import confirm_renewal
from machinectl.doctor.store_files import modes_check
from machinectl.errors import CheckFailed, Hint, MachineError
from machinectl.hosts.certificate_renewal import Renewal
from machinectl.hosts.holder_cas import ending_holders, holder_ca
from machinectl.hosts.host_plan import target_of
from machinectl.machines.holders import ACTIVE, ENDING, AccessHolder, holders_of, put_holder
from machinectl.machines.record import Machine
from machinectl.provision.decision import EngineDown
from tests.support.quiet import Quiet
from tests.support.registered import added

if TYPE_CHECKING:
    from machinectl.machines.store import Store

OWN, OTHER = certs.new_ca("machinectl orion").certificate, certs.new_ca("other").certificate


@pytest.fixture
def orion(store: Store) -> Store:
    """A machine with two holders, one of whom is being ended."""
    added(store, Machine("orion", "generic", url="tcp://192.0.2.29:2376", tls=True), {"ca.pem": OWN})
    with store.writing("orion") as held:
        for who, state in (("alice", ACTIVE), ("ci", ENDING)):
            ca = holder_ca(held, AccessHolder(who)).certificate
            put_holder(held.machine, AccessHolder(who, ca=certs.fingerprint(ca), state=state))
        held.write()
    return store


def states(store: Store) -> dict[str, str]:
    return {holder.who: holder.state for holder in holders_of(store.read("orion"))}


def ended(store: Store) -> list[str]:
    return [each["who"] for each in store.read("orion").ended]


def test_nobody_else_may_read_the_holders_cas(orion: Store) -> None:
    directory = orion.directory("orion")
    assert modes_check(directory).verdict is Verdict.OK
    assert {path.stat().st_mode & 0o077 for path in Path(directory).rglob("*")} == {0}


def test_a_host_gets_the_active_holders_and_refuses_those_that_end(orion: Store) -> None:
    machine = orion.read("orion")
    alice, ci = holders_of(machine)
    target = target_of(machine)
    assert [certs.fingerprint(ca) for ca in target.holders] == [alice.ca]
    assert target.ending == {ci.ca}


def test_who_was_to_end_is_ended_with_the_next_provisioning(orion: Store) -> None:
    console = Quiet()
    with orion.writing("orion") as held, ending_holders(held, console, OWN):
        assert states(orion) == {"alice": ACTIVE, "ci": ENDING}
    assert (states(orion), ended(orion)) == ({"alice": ACTIVE}, ["ci"])
    assert [path.name for path in (Path(orion.directory("orion")) / "holders").iterdir()] == ["alice"]
    assert console.said == ['The access of ci to "orion" has ended']


def test_a_new_ca_ends_all_and_that_is_on_record_before_the_host_is_changed(orion: Store) -> None:
    with orion.writing("orion") as held, ending_holders(held, Quiet(), OTHER):
        assert states(orion) == {"alice": ENDING, "ci": ENDING}
    assert (states(orion), ended(orion)) == ({}, ["alice", "ci"])


@pytest.mark.parametrize("error", [EngineDown("down", Hint("look")), CheckFailed("no", Hint("look"))])
def test_a_host_that_rolled_back_or_was_not_changed_keeps_its_holders(orion: Store, error: MachineError) -> None:
    with orion.writing("orion") as held, pytest.raises(type(error)), ending_holders(held, Quiet(), OTHER):
        raise error
    assert (states(orion), ended(orion)) == ({"alice": ACTIVE, "ci": ENDING}, [])


def test_while_nobody_knows_what_the_host_has_the_holders_are_ending(orion: Store) -> None:
    with orion.writing("orion") as held, pytest.raises(MachineError), ending_holders(held, Quiet(), OTHER):
        raise MachineError("the connection broke", Hint("try again"))
    assert states(orion) == {"alice": ENDING, "ci": ENDING}
    with orion.writing("orion") as held, ending_holders(held, Quiet(), OWN):
        pass
    assert ended(orion) == ["alice", "ci"]


def test_the_question_about_a_new_ca_names_whose_access_ends(orion: Store) -> None:
    console = Quiet("n")
    assert not confirm_renewal(orion, console, ["orion"], Renewal(new_ca=True))
    assert 'The access of alice, ci to "orion" ends.' in console.said
