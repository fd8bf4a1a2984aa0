"""Holders that end along with a provisioning or a renewal of certificates, and what is on record of them meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl import certs
from machinectl.errors import CheckFailed, Hint, MachineError
from machinectl.hosts.engine_restart import Endings
from machinectl.hosts.holder_cas import holder_ca
from machinectl.hosts.host_plan import target_of
from machinectl.hosts.host_run import HostStep, RealRun, carry_out
from machinectl.machines.holders import ACTIVE, ENDING, AccessHolder, holders_of, put_holder
from machinectl.machines.record import Machine
from machinectl.provision.decision import EngineDown
from tests.support.quiet import Quiet
from tests.support.registered import added
from tests.support.runner import RecordedHost

if TYPE_CHECKING:
    from collections.abc import Callable

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


def test_a_host_gets_the_active_holders_and_refuses_those_that_end(orion: Store) -> None:
    machine = orion.read("orion")
    alice, ci = holders_of(machine)
    target = target_of(machine)
    assert [certs.fingerprint(ca) for ca in target.holders] == [alice.ca]
    assert target.ending == {ci.ca}


def ending(store: Store, ca: bytes, work: Callable[[], object] = lambda: None) -> Quiet:
    """Work on the host, which gets this CA."""
    console, endings = Quiet(), Endings()
    with store.writing("orion") as held:
        steps = [
            HostStep("Begin", lambda run: endings.begin(run, ca), endings.undo),
            HostStep("Work", lambda _: work() and None),
            HostStep("Finish", endings.finish),
        ]
        carry_out(RealRun(held, console, RecordedHost("provisioned")), steps)
    return console


def fail(error: MachineError) -> None:
    raise error


def test_who_was_to_end_is_ended_with_the_next_provisioning(orion: Store) -> None:
    during: list[dict[str, str]] = []
    console = ending(orion, OWN, lambda: during.append(states(orion)))
    assert during == [{"alice": ACTIVE, "ci": ENDING}]
    assert (states(orion), ended(orion)) == ({"alice": ACTIVE}, ["ci"])
    assert [path.name for path in (Path(orion.directory("orion")) / "holders").iterdir()] == ["alice"]
    assert console.said == ['The access of ci to "orion" has ended']


def test_a_new_ca_ends_all_and_that_is_on_record_before_the_host_is_changed(orion: Store) -> None:
    during: list[dict[str, str]] = []
    ending(orion, OTHER, lambda: during.append(states(orion)))
    assert during == [{"alice": ENDING, "ci": ENDING}]
    assert (states(orion), ended(orion)) == ({}, ["alice", "ci"])


@pytest.mark.parametrize("error", [EngineDown("down", Hint("look")), CheckFailed("no", Hint("look"))])
def test_a_host_that_rolled_back_or_was_not_changed_keeps_its_holders(orion: Store, error: MachineError) -> None:
    with pytest.raises(type(error)):
        ending(orion, OTHER, lambda: fail(error))
    assert (states(orion), ended(orion)) == ({"alice": ACTIVE, "ci": ENDING}, [])


def test_while_nobody_knows_what_the_host_has_the_holders_are_ending(orion: Store) -> None:
    with pytest.raises(MachineError):
        ending(orion, OTHER, lambda: fail(MachineError("the connection broke", Hint("try again"))))
    assert states(orion) == {"alice": ENDING, "ci": ENDING}
    ending(orion, OWN)
    assert ended(orion) == ["alice", "ci"]
