"""A node in a machine's record: what is written is read again, and what is no node is none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl.machines.record import Machine, parse_record
from machinectl.machines.swarm_node import AVAILABILITIES, MEMBER, MEMBERSHIPS, ROLES, SwarmNode, node_of, on_record

WORDS = st.text(st.characters(categories=["L", "N", "P"]))


@given(
    st.tuples(
        WORDS,
        WORDS,
        WORDS.filter(bool),
        st.sampled_from(ROLES),
        st.sampled_from(["", *AVAILABILITIES]),
        st.sampled_from(MEMBERSHIPS),
    )
)
def test_a_record_keeps_a_node(words: tuple[str, str, str, str, str, str]) -> None:
    machine = Machine("orion", "none", url="tcp://192.0.2.1:2376")
    machine.swarm = SwarmNode(*words).dump()
    there = parse_record("orion", machine.dump())
    read = on_record(there)
    assert read
    assert (read.swarm, read.cluster, read.node, read.role, read.before, read.membership) == words
    assert (node_of(there) is None) == (read.membership != MEMBER)
    # A member's record is what earlier versions wrote, and read.
    assert ("membership" in machine.swarm) == (read.membership != MEMBER)


@pytest.mark.parametrize(
    "data",
    [
        {"swarm": "a", "cluster": "b", "node": "", "role": "manager"},
        {"swarm": "a", "cluster": "b", "node": "c", "role": "king"},
        {"swarm": "a", "cluster": "b", "node": "c", "role": "manager", "before": "gone"},
        {"swarm": "a", "cluster": "b", "node": "c", "role": "manager", "membership": "king"},
        {"swarm": "\x1b[2J", "cluster": "b", "node": "c", "role": "manager"},
        {"swarm": ["a"], "cluster": "b", "node": "c", "role": "manager"},
        {"node": 7},
    ],
)
def test_what_is_no_node_is_none(data: dict[str, Any]) -> None:
    assert SwarmNode.load(data) is None
