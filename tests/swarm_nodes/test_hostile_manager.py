"""What a hostile manager of a swarm says breaks nothing: no record, no line on the terminal, no other node."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from machinectl.engine import swarm_api
from machinectl.hosts.login import Login
from machinectl.machines.machine_driver import endpoint_of
from machinectl.machines.swarm_node import node_of
from machinectl.swarm import swarm_join
from machinectl.swarm.swarm_join import Joining
from machinectl.swarm.swarm_members import Roles
from machinectl.swarm_nodes import draining, managers
from tests.support.in_process import machinectl
from tests.support.quiet import Quiet
from tests.support.swarm_engines import Swarms, engines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.machines.store import Store

ROLES = {"m1": "manager", "w1": "worker"}
ESCAPES = "\x1b]0;owned\x07\r\n\x9b31m\u202e"
WORDS: dict[str, Any] = {
    "escapes": ESCAPES,
    "half a character": "\ud800",
    "a huge text": "A" * 100_000,
    "a number": -(10**300),
    "a list": [[]],
    "an option": "--help",
}


@pytest.fixture
def manager(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Swarms]:
    """The only manager of a swarm with a worker."""
    monkeypatch.setattr(managers, "ELECTION", 0)
    for module, patience in ((draining, "VOTES_WITHIN"), (draining, "BACK_WITHIN"), (swarm_join, "HEARD_WITHIN")):
        monkeypatch.setattr(module, patience, 0)
    with engines(store, *ROLES, "alone") as found:
        assert dict(Roles(ROLES).form(store, Quiet(), Joining(Login(), "192.0.2.7"))) == dict.fromkeys(ROLES)
        yield found


def listed(swarms: Swarms) -> dict[str, dict[str, Any]]:
    return copy.deepcopy(swarms.nodes[swarms["m1"].cluster])


@pytest.mark.parametrize("word", WORDS)
def test_every_word_of_a_node_may_be_wrong(store: Store, manager: Swarms, word: str) -> None:
    nodes, said = listed(manager), WORDS[word]
    for node in nodes.values():
        node["Description"] = {"Hostname": said, "Engine": {"EngineVersion": said}}
        node["Status"] = {"State": said, "Addr": said}
        node["Version"] = {"Index": said}
        node["Spec"] |= {"Availability": said}
        node["ManagerStatus"] = {"Reachability": said, "Addr": said, "Leader": said}
    manager["m1"].says["GET /nodes"] = [*nodes.values(), said, {**nodes["node-w1"], "ID": said}, {"Spec": said}]
    for words in (("status",), ("join", "--advertise-addr", "192.0.2.9", "m1", "alone"), ("leave", "w1")):
        done = machinectl("swarm", *words, store=store.root)
        assert done.returncode in {0, 1}
        printed = done.stdout + done.stderr
        assert printed.replace("\n", "").isprintable()
        assert len(printed) < 10_000


@pytest.mark.parametrize("availability", ["gone", "", ESCAPES, 5])
def test_a_node_with_an_unknown_availability_is_put_back_as_active(
    store: Store, manager: Swarms, availability: object
) -> None:
    nodes = listed(manager)
    nodes["node-w1"]["Spec"]["Availability"] = availability
    manager["m1"].says["GET /nodes"] = list(nodes.values())
    with store.writing("w1") as held, draining.drained_node(held, Quiet(), "node-w1"):
        assert manager.availability("w1") == "drain"
        node = node_of(store.read("w1"))
        assert node
        assert node.before == "active"
    assert manager.availability("w1") == "active"


def test_of_endless_nodes_only_as_many_are_read_as_a_swarm_can_have(store: Store, manager: Swarms) -> None:
    manager["m1"].says["GET /nodes"] = f"[{'{},' * 3 * swarm_api.MOST_NODES}{{}}]"
    assert len(swarm_api.nodes(endpoint_of(store.read("m1")))) == swarm_api.MOST_NODES


@pytest.mark.parametrize("token", [*WORDS.values(), "", "S"], ids=[*WORDS, "none", "a letter"])
def test_a_token_that_is_none_goes_to_no_other_engine(store: Store, manager: Swarms, token: object) -> None:
    manager["m1"].says["GET /swarm"] = {"JoinTokens": {"Worker": token, "Manager": token}}
    done = machinectl("swarm", "join", "--advertise-addr", "192.0.2.9", "m1", "alone", store=store.root)
    assert done.returncode == 1
    assert "its swarm join tokens are invalid" in done.stderr
    assert not any("/swarm/join" in asked for asked in manager["alone"].asked)


def test_an_id_that_would_be_an_option_is_none() -> None:
    assert swarm_api.Membership.of({"Swarm": {"NodeID": "--help", "Cluster": {"ID": "-x"}}}) == swarm_api.Membership()
