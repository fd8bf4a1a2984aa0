"""Machines that become a swarm, are looked after in it, and leave it: engines that answer as dockerd does."""

from __future__ import annotations

import copy
import json
import os
import random
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import pytest

from machinectl.engine import swarm_api as api
from machinectl.errors import MachineError
from machinectl.hosts.login import Login
from machinectl.hosts.removal import warn_of_swarm
from machinectl.machines.machine_driver import endpoint_of
from machinectl.machines.record import Machine, Phase
from machinectl.machines.store import Store
from machinectl.machines.swarm_node import SwarmNode, node_of, on_record
from machinectl.provision.facts.host_facts import Facts, parse_facts
from machinectl.provision.target import NOTHING_SPECIAL
from machinectl.swarm import swarm_join as joining
from machinectl.swarm.swarm_join import Joining, address_of
from machinectl.swarm.swarm_members import Roles, begin_swarm, swarm_join, swarm_leave
from machinectl.swarm.swarm_status import swarm_status
from machinectl.swarm_nodes import draining, leaving, membership
from machinectl.swarm_nodes import managers as swarm
from machinectl.swarm_nodes.managers import Quorum
from machinectl.swarm_nodes.membership import find_manager
from tests.support.program import machinectl
from tests.support.quiet import Quiet
from tests.support.runner import FACTS
from tests.support.swarm_engines import Swarms, engines
from tests.support.swarm_engines import node_of as node_of_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.engine import Endpoint

ROUNDS = 20
JOINING = Joining(Login(), "192.0.2.7")
NAMES = ("m1", "m2", "m3", "w1", "w2")


@pytest.fixture(autouse=True)
def elections(monkeypatch: pytest.MonkeyPatch) -> None:
    """A swarm that has no leader gets none unless a test says so: nothing is waited for."""
    monkeypatch.setattr(swarm, "ELECTION", 0)


@pytest.fixture
def swarms(store: Store) -> Iterator[Swarms]:
    """Engines of which none is a node yet."""
    with engines(store, *NAMES) as found:
        yield found


ROLES = dict(zip(NAMES, ("manager", "manager", "manager", "worker", "worker"), strict=True))


def form(store: Store) -> None:
    assert dict(Roles(ROLES).form(store, Quiet(), JOINING)) == dict.fromkeys(NAMES)


class Formed(NamedTuple):
    """What the engines of a swarm have of their nodes, and what is on record of each machine."""

    nodes: dict[str, Any]
    recorded: dict[str, SwarmNode]


@pytest.fixture(scope="module")
def formed(tmp_path_factory: pytest.TempPathFactory) -> Formed:
    store = Store(str(tmp_path_factory.mktemp("formed")))
    with engines(store, *NAMES) as swarms:
        form(store)
        return Formed(swarms.nodes, {name: recorded(store, name) for name in NAMES})


@pytest.fixture
def whole(store: Store, swarms: Swarms, formed: Formed) -> Swarms:
    """Three managers and two workers, as `form` leaves them."""
    swarms.nodes = copy.deepcopy(formed.nodes)
    for name, node in formed.recorded.items():
        swarms[name].cluster = node.cluster
        with store.writing(name) as held:
            membership.save_node(held, node)
    return swarms


def recorded(store: Store, name: str) -> SwarmNode:
    node = node_of(store.read(name))
    assert node
    return node


def leave(store: Store, *names: str, force: bool = False, console: Quiet | None = None) -> dict[str, str]:
    """Have machines leave; why those did not that are still in it."""
    results = swarm_leave(store, console or Quiet(), names, Login(), force=force)
    return {name: error.cause for name, error in results if error}


def test_machines_become_a_swarm_in_their_roles_and_records_know_it(store: Store, swarms: Swarms) -> None:
    form(store)
    assert {name: recorded(store, name).role for name in NAMES} == ROLES
    assert {recorded(store, name).swarm for name in NAMES} == {"m1"}
    assert {recorded(store, name).cluster for name in NAMES} == {"cluster-m1"}
    assert {each["Spec"]["Role"] for each in swarms.nodes["cluster-m1"].values()} == {"manager", "worker"}


def test_a_second_time_nothing_is_changed(store: Store, whole: Swarms) -> None:
    roles = Roles(ROLES)
    assert roles.differing(store) == {}
    for name in NAMES:
        whole[name].asked.clear()
    assert dict(roles.form(store, Quiet(), JOINING)) == dict.fromkeys(NAMES)
    assert not [asked for name in NAMES for asked in whole[name].asked if not asked.startswith("GET")]


def test_who_is_new_joins_and_a_role_that_is_another_now_is_left_to_docker(store: Store, swarms: Swarms) -> None:
    dict(Roles({"m1": "manager", "w1": "worker"}).form(store, Quiet(), JOINING))
    new = Roles({"m1": "manager", "m2": "manager", "w1": "manager"})
    assert new.differing(store) == {"m2": "", "w1": "worker"}
    done = dict(new.form(store, Quiet(), JOINING))
    assert (done["m1"], done["m2"]) == (None, None)
    assert done["w1"]
    assert "docker --context m1 node promote node-w1" in done["w1"].hint
    api.update_node(endpoint_of(store.read("m1")), "node-w1", Role="manager")
    assert dict(new.form(store, Quiet(), JOINING)) == dict.fromkeys(new.roles)
    assert swarms["w1"].manages


def test_an_interrupted_forming_is_gone_on_with_also_where_no_record_says_so(store: Store, whole: Swarms) -> None:
    for name in NAMES:
        with store.writing(name) as held:
            membership.save_node(held, None)
    assert dict(Roles(ROLES).form(store, Quiet(), JOINING)) == dict.fromkeys(NAMES)
    assert {name: recorded(store, name).role for name in NAMES} == ROLES
    assert list(whole.nodes) == ["cluster-m1"]


def test_who_begins_another_swarm_is_forgotten_by_the_one_that_it_left_by_hand(store: Store, whole: Swarms) -> None:
    whole["w1"].cluster = ""
    assert dict(begin_swarm(store, Quiet(), "w1", JOINING)) == {"w1": None}
    assert "node-w1" not in whole.nodes["cluster-m1"]
    assert recorded(store, "w1").cluster == "cluster-w1"


def test_no_swarm_is_begun_beside_one_that_a_broken_record_may_be_of(store: Store, swarms: Swarms) -> None:
    with pytest.raises(MachineError, match="A swarm needs a manager"):
        list(Roles({"w1": "worker"}).form(store, Quiet(), JOINING))
    for roles in ({"m1": "manager", "w1": "worker"}, {"w1": "worker"}):
        with pytest.raises(MachineError, match="the record of m2, m10 cannot be read: it may be one"):
            list(Roles(roles, unreadable=["m10", "m2"]).form(store, Quiet(), JOINING))
    assert not swarms["m1"].is_in
    assert dict(Roles({"m1": "manager"}).form(store, Quiet(), JOINING)) == {"m1": None}
    # One that is there is gone on with.
    assert dict(Roles({"m1": "manager", "w1": "worker"}, unreadable=["m2"]).form(store, Quiet(), JOINING))["w1"] is None


def test_a_node_of_another_swarm_stays_one_and_the_others_join(store: Store, swarms: Swarms) -> None:
    [(_, failed)] = begin_swarm(store, Quiet(), "w1", JOINING)
    assert failed is None
    done = dict(Roles({"m1": "manager", "m2": "manager"}).form(store, Quiet(), JOINING))
    assert done == {"m1": None, "m2": None}
    done = dict(Roles({"m1": "manager", "m2": "manager", "w1": "worker"}).form(store, Quiet(), JOINING))
    error = done["w1"]
    assert error
    assert 'already a manager of the swarm "w1"' in error.cause
    assert swarms["w1"].cluster == "cluster-w1"


def test_who_is_to_be_a_worker_gets_nobody_by_calling_itself_a_manager(store: Store, swarms: Swarms) -> None:
    api.init_swarm(endpoint_of(store.read("w1")), "192.0.2.66")
    with pytest.raises(MachineError, match="w1: in a swarm already"):
        list(Roles({"m1": "manager", "w1": "worker", "w2": "worker"}).form(store, Quiet(), JOINING))
    assert not swarms["m1"].is_in
    assert not swarms["w2"].is_in


def test_no_token_is_kept_or_told(store: Store, swarms: Swarms) -> None:
    with pytest.raises(api.Refusal) as refused:
        api.join_swarm(endpoint_of(store.read("w1")), "SWMTKN-1-nowhere-worker", ["192.0.2.1:2377"], "192.0.2.9")
    assert "invalid join token …" in refused.value.cause
    assert "SWMTKN" not in refused.value.cause + refused.value.hint
    form(store)
    assert any("JoinToken" in body for body in swarms["w1"].bodies)
    assert "SWMTKN" not in "".join(store.read(name).dump().decode() for name in NAMES)


def test_a_node_leaves_drained_and_is_forgotten(store: Store, whole: Swarms) -> None:
    console = Quiet()
    assert leave(store, "w1", "m3", console=console) == {}
    assert sorted(whole.nodes["cluster-m1"]) == ["node-m1", "node-m2", "node-w2"]
    assert console.steps == [
        'Draining "w1": its tasks move to other nodes',
        'Leaving the swarm "m1": "w1"',
        'Removing "w1" from the list of nodes',
        'Draining "m3": its tasks move to other nodes',
        'Demoting "m3" to a worker',
        'Leaving the swarm "m1": "m3"',
        'Removing "m3" from the list of nodes',
    ]
    assert node_of(store.read("w1")) is None
    # Never by force: it is a worker by then.
    assert "POST /swarm/leave?force=0" in whole["m3"].asked


def test_the_last_manager_leaves_with_force_only(store: Store, whole: Swarms) -> None:
    assert leave(store, "m2", "m3") == {}
    assert "last manager" in leave(store, "m1")["m1"]
    assert leave(store, "m1", force=True) == {}
    assert not whole["m1"].is_in


def test_a_manager_stays_without_whom_the_others_cannot_decide(store: Store, whole: Swarms) -> None:
    whole["m3"].node["ManagerStatus"]["Reachability"] = "unreachable"
    assert "no quorum" in leave(store, "m2")["m2"]
    assert whole.availability("m2") == "active"


def test_a_node_whose_engine_is_gone_is_forgotten_with_force(store: Store, whole: Swarms) -> None:
    whole["m1"].answers = False
    assert "m1" in leave(store, "m1")
    console = Quiet()
    assert leave(store, "m1", force=True, console=console) == {}
    assert "node-m1" not in whole.nodes["cluster-m1"]
    assert node_of(store.read("m1")) is None
    assert any("swarm leave --force m1" in each for each in console.warnings)


def test_another_manager_answers_when_the_first_is_gone(store: Store, whole: Swarms) -> None:
    assert find_manager(store, "m1").machine.name == "m1"
    assert find_manager(store, "m3").machine.name == "m3"
    assert find_manager(store, "w1").machine.name == "m1"
    whole["m1"].answers = False
    assert find_manager(store, "m1").machine.name == "m2"
    for name in ("m2", "m3"):
        whole[name].answers = False
    with pytest.raises(MachineError, match=r"No manager of the swarm \"m1\" answers \(m1, m2, m3\)"):
        find_manager(store, "m1")


def test_a_manager_that_went_to_another_swarm_does_not_answer_for_this_one(store: Store, whole: Swarms) -> None:
    del whole.nodes["cluster-m1"]["node-m1"]
    whole["m1"].cluster = "theirs"
    whole.nodes["theirs"] = {"node-m1": {**whole["m2"].node, "ID": "node-other"}}
    assert find_manager(store, "m1").machine.name == "m2"


def test_a_node_is_drained_meanwhile_and_put_back_as_it_was(store: Store, whole: Swarms) -> None:
    for before in ("active", "pause"):
        whole["w1"].node["Spec"]["Availability"] = before
        with store.writing("w1") as held, draining.drained_node(held, Quiet(), "node-w1"):
            assert whole.availability("w1") == "drain"
            assert recorded(store, "w1").before == before
        assert (whole.availability("w1"), recorded(store, "w1").before) == (before, "")
    assert whole["w1"].node["Spec"]["Labels"] == {"kept": "yes"}
    # One that somebody has drained stays so.
    whole["w1"].node["Spec"]["Availability"] = "drain"
    console = Quiet()
    with store.writing("w1") as held, draining.drained_node(held, console, "node-w1"):
        pass
    assert (whole.availability("w1"), console.steps) == ("drain", [])


def test_a_failure_puts_a_node_back_and_a_kill_leaves_that_to_the_next_run(store: Store, whole: Swarms) -> None:
    with (
        pytest.raises(MachineError, match="no restart"),
        store.writing("w1") as held,
        draining.drained_node(held, Quiet(), "node-w1"),
    ):
        raise MachineError("no restart")
    assert whole.availability("w1") == "active"
    with (
        pytest.raises(KeyboardInterrupt),
        store.writing("w1") as held,
        draining.drained_node(held, Quiet(), "node-w1"),
    ):
        raise KeyboardInterrupt
    assert (whole.availability("w1"), recorded(store, "w1").before) == ("drain", "active")
    [found] = swarm_status(store, Quiet(), ["w1"], 5)
    assert next(row.before for row in found.rows if row.machine == "w1") == "active"
    with store.writing("w1") as held:
        draining.restore_availability(held, Quiet())
    assert (whole.availability("w1"), recorded(store, "w1").before) == ("active", "")


def test_a_node_is_put_back_by_another_manager_than_it_was_drained_by(store: Store, whole: Swarms) -> None:
    with store.writing("w1") as held, draining.drained_node(held, Quiet(), "node-w1"):
        whole["m1"].answers = False
    assert whole.availability("w1") == "active"


def test_a_node_is_put_back_as_soon_as_its_managers_have_a_leader_again(store: Store, whole: Swarms) -> None:
    console = Quiet()
    console.pause = lambda _: whole.without_leader.clear()  # type: ignore[assignment,method-assign]
    with store.writing("m1") as held, draining.drained_node(held, console, "node-m1"):
        whole.without_leader.add("cluster-m1")
    assert whole.availability("m1") == "active"
    assert console.warnings == []


def test_what_keeps_a_node_from_being_put_back_is_said(
    store: Store, whole: Swarms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "BACK_WITHIN", 0)
    console = Quiet()
    with store.writing("w1") as held, draining.drained_node(held, console, "node-w1"):
        whole.without_leader.add("cluster-m1")
    assert whole.availability("w1") == "drain"
    assert "machinectl provision w1" in console.warnings[-1]
    assert recorded(store, "w1").before == "active"


def test_a_swarm_of_one_node_has_nowhere_to_drain_to(store: Store, swarms: Swarms) -> None:
    list(begin_swarm(store, Quiet(), "m1", JOINING))
    assert not draining.is_to_be_drained(store, Quiet(), store.read("m1"), node_host("node-m1"))
    list(swarm_join(store, Quiet(), "m1", ["w1"], JOINING, "worker"))
    assert draining.is_to_be_drained(store, Quiet(), store.read("m1"), node_host("node-m1"))
    swarms["w1"].node["Spec"]["Availability"] = "drain"
    assert not draining.is_to_be_drained(store, Quiet(), store.read("m1"), node_host("node-m1"))


def test_status_finds_what_was_joined_by_hand_and_says_which_nodes_are_machines(store: Store, whole: Swarms) -> None:
    for name in NAMES:
        with store.writing(name) as held:
            membership.save_node(held, None)
    whole.nodes["cluster-m1"]["node-x"] = {**whole["w1"].node, "ID": "node-x"}
    # No engine is believed what it says of itself; the first manager of a swarm is whom a person names.
    console = Quiet()
    assert swarm_status(store, console, [], 5) == []
    assert "machinectl swarm status m1" in console.warnings[0]
    for name in ("m1", "m2", "m3"):
        whole[name].node["ManagerStatus"]["Addr"] = "127.0.0.1:2377"
    swarm_status(store, Quiet(), ["m1"], 5)
    [found] = swarm_status(store, Quiet(), [], 5)
    assert (found.name, found.asked) == ("m1", "m1")
    assert [row.machine for row in found.rows] == ["m1", "m2", "m3", "", "w1", "w2"]
    assert recorded(store, "w2").cluster == "cluster-m1"


def test_a_swarm_keeps_its_name_when_the_machine_of_that_name_has_left(store: Store, whole: Swarms) -> None:
    assert leave(store, "m1") == {}
    [found] = swarm_status(store, Quiet(), ["m1"], 5)
    assert (found.name, found.asked) == ("m1", "m2")
    assert find_manager(store, "m1").machine.name == "m2"
    list(swarm_join(store, Quiet(), "m2", ["m1"], JOINING, "manager"))
    assert recorded(store, "m1").swarm == "m1"
    assert len(whole.nodes) == 1


def test_status_of_a_swarm_without_a_leader_says_so_and_what_is_known(store: Store, whole: Swarms) -> None:
    whole.without_leader.add("cluster-m1")
    [found] = swarm_status(store, Quiet(), ["m2"], 5)
    assert found.failure
    assert "has no leader" in found.failure.cause
    assert "machinectl start" in found.failure.hint
    assert [row.machine for row in found.rows] == list(NAMES)
    # Managers that do not answer are not said to be out of reach.
    assert found.heading() == "Swarm m1: 3 managers, 2 workers"
    assert found.fields()["ReachableManagers"] is None


def test_a_machine_that_left_by_hand_is_no_node_any_more(store: Store, whole: Swarms) -> None:
    whole["w1"].cluster = ""
    [found] = swarm_status(store, Quiet(), [], 5)
    assert node_of(store.read("w1")) is None
    assert found.fields()["ManagersToSpare"] == 1


def test_live_restore_without_ssh_is_a_plain_error(store: Store, swarms: Swarms) -> None:
    swarms["m1"].live_restore = True
    [(_, error)] = begin_swarm(store, Quiet(), "m1", JOINING)
    assert error
    assert "live-restore" in error.cause
    assert "daemon.json" in error.hint
    assert not [asked for asked in swarms["m1"].asked if asked.startswith("POST")]


def test_an_engine_without_tls_is_warned_of(store: Store, swarms: Swarms) -> None:
    list(begin_swarm(store, Quiet(), "m1", JOINING))
    console = Quiet()
    list(swarm_join(store, console, "m1", ["m2"], JOINING, "manager"))
    assert ["without TLS" in each for each in console.warnings] == [True, True]
    assert swarms["m2"].manages


def test_what_is_lost_if_one_more_manager_goes() -> None:
    spare = {(1, 1): 0, (2, 2): 0, (3, 3): 1, (3, 2): 0, (3, 1): -1, (5, 5): 2}
    assert {counts: Quorum(*counts).spare for counts in spare} == spare


def test_the_address_that_other_nodes_reach_is_advertised() -> None:
    assert address_of(Machine("orion", "none", url="tcp://192.0.2.29:2376")) == "192.0.2.29"
    for url in ("tcp://127.0.0.1:2376", "tcp://[::1]:2376", "unix:///run/docker.sock"):
        with pytest.raises(MachineError) as refused:
            address_of(Machine("orion", "none", url=url))
        assert "--advertise-addr" in refused.value.hint


def node_host(node_id: str) -> Facts:
    """A host that was read in the lab, whose engine is a node of that ID."""
    host = parse_facts((FACTS / "swarm-node").read_bytes())
    return replace(host, info={**host.info, "SwarmNode": node_id})


def test_an_engine_may_restart_where_its_node_can_be_drained(store: Store, whole: Swarms) -> None:
    machine, host = store.read("w1"), node_host("node-w1")
    assert host.swarm
    assert draining.allow_swarm_restart(store, Quiet(), machine, host, NOTHING_SPECIAL).restart_swarm
    assert draining.is_to_be_drained(store, Quiet(), machine, host)
    # An engine that starts its node again does not say which it is.
    assert draining.allow_swarm_restart(store, Quiet(), machine, node_host(""), NOTHING_SPECIAL).restart_swarm
    # A node that no manager here knows, and one where none answers, is restarted as it is with --restart-swarm only.
    assert not draining.allow_swarm_restart(store, Quiet(), machine, node_host("node-x"), NOTHING_SPECIAL).restart_swarm
    for name in ("m1", "m2", "m3"):
        whole[name].answers = False
    assert not draining.allow_swarm_restart(store, Quiet(), machine, host, NOTHING_SPECIAL).restart_swarm
    assert not draining.is_to_be_drained(store, Quiet(), machine, host)


def test_nodes_are_waited_for_that_a_new_leader_does_not_know_yet(
    store: Store, whole: Swarms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swarm, "ELECTION", 60)
    monkeypatch.setattr(swarm, "PAUSE", 0)
    machine, host = store.read("w1"), node_host("node-w1")

    elect_leader(whole)
    assert draining.allow_swarm_restart(store, Quiet(), machine, host, NOTHING_SPECIAL).restart_swarm
    elect_leader(whole)
    with store.writing("w1") as held, draining.drained_node(held, Quiet(), "node-w1"):
        assert whole.availability("w1") == "drain"
    # Not for ever: that node is restarted as it is with --restart-swarm only.
    monkeypatch.setattr(swarm, "ELECTION", 0)
    elect_leader(whole)
    assert not draining.allow_swarm_restart(store, Quiet(), machine, host, NOTHING_SPECIAL).restart_swarm


def elect_leader(whole: Swarms) -> None:
    for name in ("m1", "m2", "m3"):
        whole[name].unreported = 3


def test_a_node_that_was_joined_by_hand_is_drained_too(store: Store, whole: Swarms) -> None:
    with store.writing("w1") as held:
        membership.save_node(held, None)
        with draining.drained_node(held, Quiet(), "node-w1"):
            assert whole.availability("w1") == "drain"
    assert (recorded(store, "w1").swarm, recorded(store, "w1").role) == ("m1", "worker")


@pytest.mark.usefixtures("whole")
@pytest.mark.parametrize(("name", "manages"), [("m1", True), ("w1", False)])
def test_a_node_of_a_swarm_made_by_hand_may_restart_once_a_manager_is_named(
    store: Store, name: str, *, manages: bool
) -> None:
    for each in NAMES:
        with store.writing(each) as held:
            membership.save_node(held, None)
    host = node_host(f"node-{name}")
    host = replace(host, info={**host.info, "SwarmManager": manages})
    machine = store.read(name)
    # A refused `create` leaves no machine that `swarm status` could ask.
    allowed = draining.allow_swarm_restart(store, Quiet(), machine, host, NOTHING_SPECIAL)
    assert "swarm status" not in allowed.undrained
    machine.phase = Phase.READY
    allowed = draining.allow_swarm_restart(store, Quiet(), machine, host, NOTHING_SPECIAL)
    assert not allowed.restart_swarm
    assert "name a manager of it: machinectl swarm status <MANAGER>; or" in allowed.undrained
    assert "--restart-swarm" in allowed.undrained
    done = machinectl("swarm", "status", "m1", store=store.root)
    assert done.returncode == 0
    assert draining.allow_swarm_restart(store, Quiet(), machine, host, NOTHING_SPECIAL).restart_swarm
    locking = replace(host, info={**host.info, "SwarmAutolock": True})
    assert not draining.allow_swarm_restart(store, Quiet(), machine, locking, NOTHING_SPECIAL).restart_swarm


@pytest.mark.usefixtures("whole")
def test_rm_warns_of_a_node(store: Store) -> None:
    console = Quiet()
    warn_of_swarm(store, console, "w1")
    assert '"w1" is a worker of the swarm "m1" and stays in its list of nodes' in console.warnings[0]
    assert leave(store, "m2") == {}
    warn_of_swarm(store, console, "m2")
    assert len(console.warnings) == 1


class Waits(Exception):
    """It would wait."""


class Impatient(Quiet):
    def pause(self, seconds: float) -> None:
        raise Waits


def test_two_nodes_of_a_swarm_are_not_drained_at_once(store: Store, whole: Swarms) -> None:
    console = Impatient()
    with store.writing("w1") as first, store.writing("w2") as second, draining.drained_node(first, Quiet(), "node-w1"):
        other = draining.drained_node(second, console, "node-w2")
        with pytest.raises(Waits):
            other.__enter__()
        assert whole.availability("w2") == "active"
    assert console.notes == ['"w2" waits for another node of the swarm "m1" to be back']


def test_a_worker_that_calls_itself_a_manager_is_none_whatever_is_typed(store: Store, whole: Swarms) -> None:
    whole["w1"].lies = True
    console = Quiet()
    [found] = swarm_status(store, console, ["w1"], 5)
    assert 'w1" calls itself a manager' in console.warnings[0]
    assert (found.asked, found.quorum.managers) == ("m1", 3)
    assert find_manager(store, "w1").machine.name == "m1"
    assert dict(Roles(ROLES).form(store, Quiet(), JOINING)) == dict.fromkeys(NAMES)
    with pytest.raises(MachineError, match='w1" is a worker') as refused:
        list(swarm_join(store, Quiet(), "w1", ["w2"], JOINING, "worker"))
    assert "machinectl swarm join m1 w2" in refused.value.hint
    with store.writing("w1") as held:
        leaving.finish_departure(held, Quiet())
        with draining.drained_node(held, Quiet(), "node-w1"):
            assert whole.availability("w1") == "drain"
    assert {name: recorded(store, name).role for name in NAMES} == ROLES
    assert {asked for asked in whole["w1"].asked if "/nodes" in asked or asked == "GET /swarm"} == set()
    # It refuses to leave as a manager would.
    assert "w1" in leave(store, "w1")
    assert leave(store, "w1", force=True) == {}
    assert "node-w1" not in whole.nodes["cluster-m1"]


def test_an_engine_is_not_the_manager_whose_node_it_says_it_is(store: Store, whole: Swarms) -> None:
    """A worker knows the managers' IDs; of one that is no machine here, no record says whose it is."""
    whole.nodes["cluster-m1"]["node-x"] = {**whole["m2"].node, "ID": "node-x"}
    for claimed in ("node-x", "node-m2"):
        with store.writing("w1") as held:
            membership.save_node(held, None)
        said = {
            "NodeID": claimed,
            "LocalNodeState": "active",
            "ControlAvailable": True,
            "Cluster": {"ID": "cluster-m1"},
        }
        whole["w1"].info = lambda said=said: {"Swarm": said}  # type: ignore[misc,method-assign]
        swarm_status(store, Quiet(), [], 5)
        with pytest.raises(MachineError, match="no known manager confirms that"):
            swarm_status(store, Quiet(), ["w1"], 5)
        assert "w1" in leave(store, "w1")
        with store.writing("w1") as held, draining.drained_node(held, Quiet(), claimed):
            assert whole.availability("m2") == "active"
        assert node_of(store.read("w1")) is None
        done = dict(swarm_join(store, Quiet(), "m1", ["w1"], JOINING, "worker"))
        assert done["w1"]
        assert node_of(store.read("w1")) is None
    assert whole["m2"].manages


def test_a_worker_has_no_other_node_drained_or_forgotten_by_saying_that_it_is_that(store: Store, whole: Swarms) -> None:
    """One that is no machine here: no record says whose it is."""
    nodes = whole.nodes["cluster-m1"]
    victim = {**whole["w2"].node, "ID": "node-x", "Status": {"State": "ready", "Addr": "192.0.2.66"}}
    nodes["node-x"] = victim
    before = json.dumps(victim)
    said = {"NodeID": "node-x", "LocalNodeState": "active", "ControlAvailable": False}
    whole["w1"].info = lambda: {"Swarm": said}  # type: ignore[method-assign]
    with store.writing("w1") as held, draining.drained_node(held, Quiet(), "node-x"):
        assert json.dumps(nodes["node-x"]) == before
    leave(store, "w1", force=True)
    assert json.dumps(nodes["node-x"]) == before
    assert {asked for name in NAMES for asked in whole[name].asked if "node-x" in asked} == set()


def test_a_host_that_joined_its_swarm_again_by_hand_is_its_new_node(store: Store, whole: Swarms) -> None:
    nodes = whole.nodes["cluster-m1"]
    nodes["node-w1-2"] = {**whole["w1"].node, "ID": "node-w1-2"}
    said = {"NodeID": "node-w1-2", "LocalNodeState": "active", "ControlAvailable": False}
    whole["w1"].info = lambda: {"Swarm": said}  # type: ignore[method-assign]
    swarm_status(store, Quiet(), ["w1"], 5)
    assert recorded(store, "w1").node == "node-w1-2"


def test_a_role_is_what_another_manager_says_also_of_a_manager(store: Store, whole: Swarms) -> None:
    """It was made a worker by hand, and its engine does not say so."""
    api.update_node(endpoint_of(store.read("m1")), "node-m3", Role="worker")
    whole["m3"].lies = True
    [found] = swarm_status(store, Quiet(), [], 5)
    assert (recorded(store, "m3").role, found.quorum.managers) == ("worker", 2)


def test_a_record_of_an_earlier_version_is_believed(store: Store, whole: Swarms) -> None:
    with store.writing("m2") as held:
        held.machine.swarm = {"swarm": "m1", "cluster": "cluster-m1", "node": "node-m2", "role": "manager"}
        held.write()
    assert recorded(store, "m2").dump() == store.read("m2").swarm
    whole["m1"].answers = whole["m3"].answers = False
    assert find_manager(store, "w1").machine.name == "m2"


def test_join_talks_to_the_manager_that_is_named_or_says_that_it_cannot(store: Store, whole: Swarms) -> None:
    assert leave(store, "w1", "w2") == {}
    assert dict(swarm_join(store, Quiet(), "m3", ["w1"], JOINING, "worker")) == {"w1": None}
    assert "GET /swarm" in whole["m3"].asked
    whole["m1"].answers = False
    with pytest.raises(MachineError, match='"m1" does not answer') as refused:
        list(swarm_join(store, Quiet(), "m1", ["w2"], JOINING, "worker"))
    assert "machinectl swarm join m2 w2" in refused.value.hint
    assert not whole["w2"].is_in


def membership_of(store: Store, name: str) -> str:
    node = on_record(store.read(name))
    return node.membership if node else ""


def test_a_leave_whose_last_call_fails_is_on_record_and_the_next_command_ends_it(store: Store, whole: Swarms) -> None:
    for finish in ("swarm leave", "provision", "swarm join"):
        whole["m1"].electing = whole["m2"].electing = whole["m3"].electing = {"DELETE": 100}
        assert "whose managers still list it" in leave(store, "w1")["w1"]
        assert not whole["w1"].is_in
        assert membership_of(store, "w1") == "leaving"
        for name in ("m1", "m2", "m3"):
            whole[name].electing = {}
        console = Quiet()
        if finish == "swarm leave":
            assert leave(store, "w1", console=console) == {}
        elif finish == "provision":
            with store.writing("w1") as held:
                leaving.finish_departure(held, console)
        else:
            [found] = swarm_status(store, Quiet(), [], 5)
            assert next(row for row in found.rows if row.machine == "w1").cells()[4].endswith("(leaving)")
        if finish != "swarm join":
            assert "node-w1" not in whole.nodes["cluster-m1"]
            assert membership_of(store, "w1") == ""
        assert dict(swarm_join(store, console, "m1", ["w1"], JOINING, "worker")) == {"w1": None}
        assert 'Removing "w1" from the list of nodes' in " ".join(console.steps)
        assert membership_of(store, "w1") == "member"


def test_a_node_that_somebody_else_removes_at_the_same_time_is_out(
    store: Store, whole: Swarms, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_swarm = api.leave_swarm

    def also_removed(*words: Any, **options: Any) -> None:
        leave_swarm(*words, **options)
        del whole.nodes["cluster-m1"]["node-w1"]

    monkeypatch.setattr(api, "leave_swarm", also_removed)
    assert leave(store, "w1") == {}
    assert (membership_of(store, "w1"), "node-w1" in whole.nodes["cluster-m1"]) == ("", False)


@pytest.mark.parametrize("role", ["manager", "worker"])
def test_who_is_killed_while_a_machine_joins_has_that_on_record(
    store: Store, swarms: Swarms, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(begin_swarm(store, Quiet(), "m1", JOINING))

    def killed(*_: object) -> NoReturn:
        assert membership_of(store, "w1") == "joining"
        raise KeyboardInterrupt

    monkeypatch.setattr(joining, "learn_joined", killed)
    with pytest.raises(KeyboardInterrupt):
        list(swarm_join(store, Quiet(), "m1", ["w1"], JOINING, role))
    assert node_of(store.read("w1")) is None
    with store.writing("w1") as held:
        leaving.finish_departure(held, Quiet())
    assert recorded(store, "w1").role == role
    assert swarms["w1"].is_in


def test_who_is_killed_while_a_machine_begins_a_swarm_is_believed_by_the_next_command(
    store: Store, swarms: Swarms, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(where: Endpoint, address: str) -> NoReturn:
        really(where, address)
        raise KeyboardInterrupt

    really = api.init_swarm
    monkeypatch.setattr(api, "init_swarm", killed)
    with pytest.raises(KeyboardInterrupt):
        list(begin_swarm(store, Quiet(), "m1", JOINING))
    assert membership_of(store, "m1") == "joining"
    [found] = swarm_status(store, Quiet(), [], 5)
    assert (found.name, found.asked, recorded(store, "m1").role) == ("m1", "m1", "manager")
    assert swarms["m1"].manages


def test_a_leave_that_broke_off_and_cannot_go_on_leaves_a_member(store: Store, whole: Swarms) -> None:
    """Killed in the middle; the last manager leaves with --force only, and without it is one as before."""
    assert leave(store, "m2", "m3") == {}
    with store.writing("m1") as held:
        leaving.record_membership(held, recorded(store, "m1"), "leaving")
        console = Quiet()
        leaving.finish_departure(held, console)
    assert "last manager" in console.warnings[0]
    assert find_manager(store, "w1").machine.name == "m1"
    assert whole["m1"].manages


@pytest.mark.parametrize("said", [{}, {"Swarm": {}}, {"Swarm": {"LocalNodeState": ""}}])
def test_an_engine_that_does_not_say_what_it_is_keeps_its_record(
    store: Store, whole: Swarms, said: dict[str, Any]
) -> None:
    whole["w1"].info = lambda: said  # type: ignore[method-assign]
    swarm_status(store, Quiet(), [], 5)
    with store.writing("w1") as held:
        leaving.finish_departure(held, Quiet())
    assert recorded(store, "w1").node == "node-w1"


def test_one_that_the_others_have_forgotten_leaves_as_soon_as_it_is_worked_on(store: Store, whole: Swarms) -> None:
    whole["w1"].answers = False
    assert leave(store, "w1", force=True) == {}
    assert (membership_of(store, "w1"), node_of(store.read("w1"))) == ("leaving", None)
    whole["w1"].answers = True
    whole.nodes["old"] = {"node-w1": node_of_engine("w1", "worker", "192.0.2.1")}
    whole["w1"].cluster = "old"
    with store.writing("w1") as held:
        leaving.finish_departure(held, Quiet())
    assert (membership_of(store, "w1"), whole["w1"].cluster) == ("", "")


@pytest.fixture
def leader_comes(monkeypatch: pytest.MonkeyPatch) -> Quiet:
    """A console that waits for nothing, while elections may last."""
    monkeypatch.setattr(swarm, "ELECTION", 60)
    monkeypatch.setattr(swarm, "PAUSE", 0)
    console = Quiet()
    console.pause = lambda _: None  # type: ignore[assignment,method-assign]
    return console


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_election_is_waited_out(store: Store, whole: Swarms, leader_comes: Quiet, method: str) -> None:
    for name in ("m1", "m2", "m3"):
        whole[name].electing = {method: 3}
    with store.writing("w1") as held, draining.drained_node(held, leader_comes, "node-w1"):
        assert whole.availability("w1") == "drain"
        for name in ("m1", "m2", "m3"):
            whole[name].electing = {method: 3}
    assert whole.availability("w1") == "active"
    for name in ("m1", "m2", "m3"):
        whole[name].electing = {method: 3}
    [found] = swarm_status(store, leader_comes, [], 5)
    assert (found.failure, found.quorum.reachable) == (None, 3)
    for name in ("m1", "m2", "m3"):
        whole[name].electing = {method: 3}
    with store.writing("w1") as held:
        leaving.SwarmDeparture().carry_out(held, leader_comes)
    assert leader_comes.warnings == []
    assert "node-w1" not in whole.nodes["cluster-m1"]


def test_managers_restart_one_after_the_other_also_where_no_node_takes_tasks(store: Store, whole: Swarms) -> None:
    for name in NAMES:
        whole[name].node["Spec"]["Availability"] = "drain"
    with (
        store.writing("m1") as first,
        store.writing("m2") as second,
        draining.drained_node(first, Quiet(), "node-m1"),
        pytest.raises(Waits),
        draining.drained_node(second, Impatient(), "node-m2"),
    ):
        pass
    assert whole.availability("m1") == "drain"


def test_no_manager_restarts_while_another_one_is_lost_until_a_new_leader_reaches_that(
    store: Store, whole: Swarms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """gRPC tries again up to two minutes later, if the manager was off before."""
    monkeypatch.setattr(draining, "VOTES_WITHIN", 0)
    lost = whole["m3"].node["ManagerStatus"]
    lost["Reachability"] = "unreachable"
    console = Quiet()
    console.pause = lambda _: lost.update(Reachability="reachable")  # type: ignore[assignment,method-assign]
    with store.writing("m2") as held:
        with draining.drained_node(held, console, "node-m2"):
            assert whole.availability("m2") == "drain"
        lost["Reachability"] = "unreachable"
        monkeypatch.setattr(draining, "RECONNECTED_WITHIN", 0)
        with pytest.raises(MachineError, match="no quorum: m3 cannot") as refused:
            draining.drained_node(held, Quiet(), "node-m2").__enter__()
    assert refused.value.hint == "Wait until its swarm has them back: machinectl swarm status m2"
    # A worker has no vote.
    with store.writing("w1") as held, draining.drained_node(held, Quiet(), "node-w1"):
        assert whole.availability("w1") == "drain"


def test_who_was_drained_by_a_person_while_others_had_their_turn_stays_so(store: Store, whole: Swarms) -> None:
    console = Quiet()
    console.pause = lambda _: first.close()  # type: ignore[assignment,method-assign]
    whole["w2"].node["Spec"]["Availability"] = "active"
    with ExitStack() as first, store.writing("w1") as other, store.writing("w2") as held:
        first.enter_context(draining.drained_node(other, Quiet(), "node-w1"))
        console.when("waits for another node", lambda: whole["w2"].node["Spec"].update(Availability="drain"))
        with draining.drained_node(held, console, "node-w2"):
            pass
    assert whole.availability("w2") == "drain"


def test_what_changed_while_engines_were_asked_is_not_put_on_record(store: Store, whole: Swarms) -> None:
    engine = whole["w1"]
    really = engine.info

    def slow() -> dict[str, Any]:
        # Somebody has it leave while its answer is on the way.
        with store.writing("w1") as held:
            membership.save_node(held, None)
        return really()

    engine.info = slow  # type: ignore[method-assign]
    swarm_status(store, Quiet(), [], 5)
    assert node_of(store.read("w1")) is None


def test_the_id_of_a_swarm_is_no_path(store: Store, whole: Swarms) -> None:
    with store.writing("w1") as held:
        node = SwarmNode("m1", "../../../../etc/x", "node-w1", "worker")
        with draining.swarm_locked(held, Quiet(), node):
            assert [name for name in os.listdir(store.locks) if "etc" in name] == []
    assert api.Membership.of({"Swarm": {"Cluster": {"ID": "../x"}, "NodeID": "a/b"}}) == api.Membership()
    assert whole["w1"].is_in


class Fault(MachineError):
    """A restart that fails."""


def test_no_fault_of_a_roll_leaves_a_node_drained_or_a_role_changed(
    store: Store, whole: Swarms, leader_comes: Quiet
) -> None:
    """Elections, managers that go silent, restarts that fail and runs that are killed, in an order of their own."""
    chance = random.Random(15)
    for _ in range(ROUNDS):
        name = chance.choice(NAMES)
        with suppress(Fault, KeyboardInterrupt), store.writing(name) as held:
            elect(whole, chance)
            with draining.drained_node(held, leader_comes, f"node-{name}"):
                assert whole.availability(name) == "drain"
                # Its own engine restarts, and the others elect a leader meanwhile, if it led.
                elect(whole, chance)
                silent = chance.choice(["", "m1", "m2", "m3"])
                whole.engines[silent or name].answers = False
                if failure := chance.choice([None, None, Fault("no restart"), KeyboardInterrupt()]):
                    raise failure
                whole.engines[name].answers = True
        for engine in whole.engines.values():
            engine.answers, engine.electing = True, {}
        with store.writing(name) as held:
            leaving.finish_departure(held, leader_comes)
            draining.restore_availability(held, leader_comes)
        assert [whole.availability(each) for each in NAMES] == ["active"] * len(NAMES)
        assert {each: recorded(store, each).role for each in NAMES} == ROLES
    assert leader_comes.warnings == []


def elect(whole: Swarms, chance: random.Random) -> None:
    for name in ("m1", "m2", "m3"):
        whole[name].electing = {chance.choice(["GET", "POST"]): chance.randrange(4)}
