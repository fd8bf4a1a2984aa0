"""`access end`: on many machines at once, in turns for engines in use, and what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from machinectl import certs
from machinectl.access import ending, granting
from machinectl.access.ending import access_end
from machinectl.access.granting import AccessGrant, client_of_holder
from machinectl.cli.verb_session import Session
from machinectl.errors import Hint, MachineError, NeedsProvisioning
from machinectl.hosts.certificate_files import signed
from machinectl.hosts.login import Login
from machinectl.machines.holders import PERSON, find_holder
from machinectl.machines.record import Machine
from machinectl.provision.decision import EngineDown, InUse, NotRestarted
from machinectl.provision.host_changes import CaTrusted
from machinectl.provision.target import NOTHING_SPECIAL
from machinectl.verbs import access as verb
from tests.support.quiet import Quiet
from tests.support.registered import added

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.machines.store import Store

STATE = '{"IPAddress": "192.0.2.29", "SSHUser": "root", "SSHPort": 22, "EnginePort": 2376}'
NAMES = ["m1", "m2", "m3"]


class Engines:
    """Engines by name: those in use, those that do not answer, and those that do not come up after a restart."""

    def __init__(self) -> None:
        self.restarted: list[str] = []
        self.in_use: set[str] = set()
        self.off: set[str] = set()
        self.broken: set[str] = set()
        self.refusing: set[str] = set()
        self.unprovisioned: set[str] = set()
        self.interrupted: set[str] = set()
        self.unlisted: set[str] = set()

    def distrust_cas(self, held: Any, _console: object, _access: object, _cas: Any, allowed: Any, *_: str) -> bool:
        if held.name in self.off:
            raise MachineError("port 22 refused the connection", Hint("See", "machinectl doctor", held.name))
        if held.name in self.interrupted:
            raise KeyboardInterrupt
        if held.name in self.unprovisioned:
            raise NeedsProvisioning("server.pem is missing", held.name)
        if held.name in self.in_use and not allowed.in_use:
            raise InUse(held.name, frozenset({"c1"}))
        if held.name in self.refusing:
            raise NotRestarted("dockerd refuses the new configuration")
        if held.name in self.broken:
            raise EngineDown("the engine does not start")
        if held.name in self.unlisted:
            return False
        self.restarted.append(held.name)
        return True


@pytest.fixture
def engines(store: Store, monkeypatch: pytest.MonkeyPatch) -> Engines:
    """Three machines that alice has access to."""
    found = Engines()
    monkeypatch.setattr(granting, "trust_ca", lambda *_, **__: True)
    monkeypatch.setattr(ending, "distrust_cas", found.distrust_cas)
    for name in NAMES:
        ca = certs.new_ca(f"machinectl {name}")
        files = signed(ca, certs.issue_server(ca, ["192.0.2.29"]), certs.issue_client(ca, name)).present
        added(store, Machine(name, "generic", url="tcp://192.0.2.29:2376", tls=True, driver_state=STATE), files)
        with store.writing(name) as held:
            held.machine.labels = {"role": "a"}
            key = certs.own_public_key(certs.new_key())
            client_of_holder(held, Quiet(), Login(), AccessGrant("alice", PERSON, key))
    return found


def end(store: Store, console: Quiet, names: Sequence[str] = NAMES, who: str = "alice") -> dict[str, Any]:
    return dict(access_end(store, console, who, names, Login(), NOTHING_SPECIAL))


def asked(store: Store, console: Quiet, *names: str) -> None:
    """Run the command, which asks."""
    here = Session(store.root)
    here._console = console  # type: ignore[assignment]
    given: dict[str, Any] = {"selector": None, "everything": False, "login": Login(), "yes": False}
    verb.access_end(here, who="alice", names=[*names], restart_swarm=False, dry_run=False, **given)


def holders(store: Store) -> dict[str, str | None]:
    found = {name: find_holder(store.read(name), "alice") for name in NAMES}
    return {name: holder.state if holder else None for name, holder in found.items()}


def test_a_holder_is_ended_on_all_machines(store: Store, engines: Engines) -> None:
    assert end(store, Quiet()) == dict.fromkeys(NAMES, "alice")
    assert sorted(engines.restarted) == NAMES
    assert holders(store) == dict.fromkeys(NAMES)


def test_engines_in_use_restart_after_the_others_one_by_one(store: Store, engines: Engines) -> None:
    engines.in_use = {"m1", "m2"}
    assert end(store, Quiet()) == dict.fromkeys(NAMES, "alice")
    assert engines.restarted == ["m3", "m1", "m2"]


def test_an_engine_in_use_that_does_not_come_up_stops_the_others(store: Store, engines: Engines) -> None:
    engines.in_use, engines.broken = {"m1", "m2", "m3"}, {"m1"}
    results = end(store, Quiet())
    assert isinstance(results["m1"], EngineDown)
    assert "another one did not come up" in results["m2"].cause
    assert engines.restarted == []
    assert holders(store) == dict.fromkeys(NAMES, "ending")


def test_a_host_that_is_off_stops_nobody_and_is_finished_later(store: Store, engines: Engines) -> None:
    engines.off = {"m2"}
    results = end(store, Quiet())
    assert (results["m1"], results["m3"]) == ("alice", "alice")
    cause = 'The access of alice to "m2" is not ended yet: port 22 refused the connection'
    hint = "See: machinectl doctor m2; finish it later: machinectl access end alice m2"
    assert (results["m2"].cause, results["m2"].hint) == (cause, hint)
    assert holders(store) == {"m1": None, "m2": "ending", "m3": None}
    engines.off = set()
    assert end(store, Quiet(), ["m2"]) == {"m2": "alice"}


def suspend(store: Store, name: str) -> None:
    with store.writing(name) as held:
        held.machine.url, held.machine.tls = "ssh://root@192.0.2.29", False
        held.write()


def test_without_a_listener_the_host_gets_its_new_list_too(store: Store, engines: Engines) -> None:
    suspend(store, "m1")
    console = Quiet(True)
    asked(store, console, "m1")
    assert console.notes == [
        "About to end the access of alice to m1: no engine restarts (reached over SSH only).",
        (
            '"m1" is reached over SSH only: alice has no access to it now, and gets none when its engine listens '
            "with TLS again"
        ),
    ]
    assert (engines.restarted, holders(store)["m1"]) == (["m1"], None)
    assert [each["who"] for each in store.read("m1").ended] == ["alice"]


def test_a_listener_that_a_killed_run_may_have_opened_is_closed_to_the_holder(store: Store, engines: Engines) -> None:
    suspend(store, "m1")
    with store.writing("m1") as held:
        held.machine.changes = (CaTrusted("0" * 64),)
        held.write()
    assert end(store, Quiet(), ["m1"]) == {"m1": "alice"}
    assert engines.restarted == ["m1"]


def test_access_that_another_computer_gave_is_ended_on_the_host_alone(store: Store, engines: Engines) -> None:
    engines.off, engines.unlisted = {"m3"}, {"m2"}
    results = end(store, Quiet(True), who="dozzle")
    assert results.pop("m1") == "dozzle"
    assert {name: error.cause for name, error in results.items()} == {
        "m2": '"dozzle" has no access to "m2"',
        "m3": "port 22 refused the connection",
    }
    assert engines.restarted == ["m1"]
    # A name that was mistyped is no failure of the machine.
    assert [bool(store.read(name).failure) for name in NAMES] == [False, False, True]
