"""A node in a machine's record: what is written is read again, and what is no node is none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl.machines.record import Machine, parse
from machinectl.machines.swarm_node import AVAILABILITIES, ROLES, SwarmNode, node_of

WORDS = st.text(st.characters(categories=["L", "N", "P"]))


@given(WORDS, WORDS, WORDS.filter(bool), st.sampled_from(ROLES), st.sampled_from(["", *AVAILABILITIES]))
def test_a_record_keeps_a_node(swarm: str, cluster: str, node: str, role: str, before: str) -> None:
    machine = Machine("orion", "none", url="tcp://192.0.2.1:2376")
    machine.swarm = SwarmNode(swarm, cluster, node, role, before).dump()
    read = node_of(parse("orion", machine.dump()))
    assert read
    assert (read.swarm, read.cluster, read.node, read.role, read.before) == (swarm, cluster, node, role, before)


def test_a_machine_in_no_swarm_has_nothing_of_it_in_its_record() -> None:
    machine = Machine("orion", "none", url="tcp://192.0.2.1:2376")
    assert b"swarm" not in machine.dump()
    assert node_of(machine) is None


@pytest.mark.parametrize(
    "data",
    [
        {"swarm": "a", "cluster": "b", "node": "", "role": "manager"},
        {"swarm": "a", "cluster": "b", "node": "c", "role": "king"},
        {"swarm": "a", "cluster": "b", "node": "c", "role": "manager", "before": "gone"},
        {"swarm": "\x1b[2J", "cluster": "b", "node": "c", "role": "manager"},
        {"swarm": ["a"], "cluster": "b", "node": "c", "role": "manager"},
        {"node": 7},
    ],
)
def test_what_is_no_node_is_none(data: dict[str, Any]) -> None:
    assert SwarmNode.load(data) is None
