"""What engines say of their swarms is understood, whatever it is, and what they are told is told them safely."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl.engine import Endpoint, EngineError, swarm_api
from machinectl.engine.swarm_api import Membership, Node, Refusal
from tests.support.servers import Connection, answer, serving

if TYPE_CHECKING:
    from tests.support.servers import Behaviour

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
OF_INFO = ("LocalNodeState", "NodeID", "ControlAvailable", "Cluster", "Error")
OF_NODE = ("ID", "Spec", "ManagerStatus", "Version", "Description", "Status")


def at(port: int) -> Endpoint:
    return Endpoint(f"tcp://127.0.0.1:{port}", name="orion")


def replying(*bodies: bytes, status: str = "200 OK") -> Behaviour:
    """An engine that answers one request after the other so, and the last one again and again."""
    left = list(bodies)

    def behaviour(connection: Connection) -> None:
        if connection.request():
            connection.send(answer(left.pop(0) if len(left) > 1 else left[0], status=status))

    return behaviour


def test_what_a_manager_and_a_worker_say_of_themselves() -> None:
    said = {"NodeID": "a", "LocalNodeState": "active", "ControlAvailable": True, "Error": ""}
    found = Membership.of({"Swarm": {**said, "Cluster": {"ID": "c"}}})
    assert (found.role, found.node, found.cluster) == ("manager", "a", "c")
    found = Membership.of({"Swarm": {**said, "ControlAvailable": False}, "LiveRestoreEnabled": True})
    assert (found.role, found.cluster, found.live_restore) == ("worker", "", True)
    nothing = {"NodeID": "", "LocalNodeState": "inactive", "ControlAvailable": False}
    assert Membership.of({"Swarm": nothing}).role == ""


@given(st.dictionaries(st.sampled_from(OF_INFO), JSON) | JSON)
def test_whatever_an_engine_says_of_itself_is_understood(said: Any) -> None:
    found = Membership.of({"Swarm": said})
    assert (found.state + found.node + found.cluster + found.error).isprintable()
    assert found.role in {"manager", "worker", ""}


@given(st.dictionaries(st.sampled_from(OF_NODE), JSON))
def test_whatever_a_manager_says_of_a_node_is_understood_and_moves_no_cursor(said: dict[str, Any]) -> None:
    node = Node.of(said)
    shown = (node.hostname, node.role, node.availability, node.state, node.address, node.engine, node.reachability)
    assert all(text.isprintable() for text in shown)


@pytest.mark.parametrize("body", [b"", b"no JSON", b"{}", b'"text"', b"[" * 100_000])
def test_what_is_no_list_of_nodes_is_an_error(body: bytes) -> None:
    with serving(replying(body)) as port, pytest.raises(EngineError):
        swarm_api.nodes(at(port))


def test_a_refusal_is_told_in_the_engines_words_on_one_line() -> None:
    said = json.dumps({"message": "no\x1b[2J way\nto it"}).encode()
    with serving(replying(said, status="503 Service Unavailable")) as port, pytest.raises(Refusal) as refused:
        swarm_api.leave_swarm(at(port))
    assert refused.value.status == 503
    assert refused.value.cause.endswith("says: no [2J way to it")


def test_a_token_is_in_no_error_and_no_repr() -> None:
    token = "SWMTKN-1-secret"
    said = json.dumps({"message": f"{token} is expired"}).encode()
    with serving(replying(said, status="500 Internal Server Error")) as port, pytest.raises(Refusal) as refused:
        swarm_api.join_swarm(at(port), token, ["192.0.2.1:2377"], "192.0.2.2")
    assert token not in f"{refused.value!r} {refused.value.cause} {refused.value.hint}"
    assert token not in repr(swarm_api.Tokens(token, token))


def test_a_manager_without_a_leader_is_one_as_its_ping_says() -> None:
    def behaviour(connection: Connection) -> None:
        if b"/_ping" in connection.request():
            connection.send(answer(b"OK", headers="Swarm: active/manager\r\n"))
        else:
            connection.hold()

    with serving(behaviour) as port:
        found = swarm_api.membership(at(port), timeout=0.3)
    assert (found.role, found.state, found.node) == ("manager", "active", "")


def test_an_engine_that_is_slow_and_does_not_say_what_it_is_has_not_said_that_it_is_in_no_swarm() -> None:
    def behaviour(connection: Connection) -> None:
        if b"/_ping" in connection.request():
            connection.send(answer(b"OK"))
        else:
            connection.hold()

    with serving(behaviour) as port, pytest.raises(EngineError):
        swarm_api.membership(at(port), timeout=0.3)
    assert not Membership.of({}).is_out
