"""live-restore before and after an engine is a node of a swarm, decided on hosts recorded in the lab."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from machinectl.changes import ConfigMerged, merged, of_kind
from machinectl.engine.swarm import PORTS
from machinectl.errors import CheckFailed
from machinectl.provision import configuration, swarm, undo
from machinectl.provision.facts import Facts, File, parse

if TYPE_CHECKING:
    from machinectl.provision.decision import Decision

DAEMON_JSON = "/etc/docker/daemon.json"


def host(name: str, **other: Any) -> Facts:
    return replace(parse((Path(__file__).parent / "facts" / name).read_bytes()), **other)


def written(decision: Decision) -> Any:
    """daemon.json as the decision has it."""
    config = decision.after.config
    assert config
    return json.loads(config.content)


def with_config(facts: Facts, **keys: Any) -> Facts:
    config = File("644", 0, 0, json.dumps(keys).encode())
    info = {**facts.info, "LiveRestoreEnabled": bool(keys.get("live-restore"))}
    return replace(facts, files={**facts.files, DAEMON_JSON: config}, info=info)


def test_live_restore_is_turned_off_by_a_reload_and_nothing_else_is_changed() -> None:
    there = host("provisioned")
    decision = swarm.let_go(there)
    assert decision
    assert decision.job.variables["action"] == "reload"
    assert decision.job.variables["live_restore"] == "false"
    assert written(decision) == {**configuration.read(there), "live-restore": False}
    assert swarm.let_go(decision.after) is None


def test_where_it_is_off_there_is_nothing_to_do() -> None:
    assert swarm.let_go(host("docker")) is None


def test_what_daemon_json_asks_for_at_the_next_start_is_turned_off_too() -> None:
    there = with_config(host("docker"), **{"live-restore": True})
    assert swarm.let_go(replace(there, info={**there.info, "LiveRestoreEnabled": False}))


def test_what_the_command_line_says_no_reload_changes() -> None:
    there = with_config(host("docker"), **{"live-restore": True})
    unit = there.unit.replace("ExecStart=/usr/sbin/dockerd", "ExecStart=/usr/sbin/dockerd --live-restore")
    assert unit != there.unit
    with pytest.raises(CheckFailed, match="--live-restore"):
        swarm.let_go(replace(there, unit=unit))


def test_it_is_turned_on_again_where_we_had_turned_it_off_and_not_on_a_node() -> None:
    off = swarm.let_go(host("provisioned"))
    assert off
    on = swarm.take_again(off.after, off.changes)
    assert on
    assert on.job.variables["live_restore"] == "true"
    assert written(on)["live-restore"] is True
    assert swarm.take_again(replace(off.after, swarm=True), off.changes) is None
    # Who had it off before us, or has turned it on meanwhile, is left alone.
    assert swarm.take_again(off.after, ()) is None
    assert swarm.take_again(on.after, merged(off.changes, on.changes)) is None


def test_undoing_gives_back_what_was_there_before() -> None:
    before = with_config(host("docker"), **{"live-restore": True, "debug": True})
    off = swarm.let_go(before)
    assert off
    assert undo.config_before(off.after, off.changes) == configuration.content(before)


def test_undoing_gives_no_node_the_live_restore_that_it_would_die_of() -> None:
    before = with_config(host("docker"), **{"live-restore": True, "debug": True})
    off = swarm.let_go(before)
    assert off
    node = replace(off.after, swarm=True)
    assert json.loads(undo.config_before(node, off.changes) or b"") == {"debug": True}
    assert "stays off" in undo.live_restore_lost(node, off.changes)[0]
    assert undo.live_restore_lost(off.after, off.changes) == ()


def test_a_node_whose_daemon_json_asks_for_it_is_told_otherwise_before_it_dies_of_that() -> None:
    there = with_config(host("swarm-node"), **{"live-restore": True})
    assert there.swarm
    ours = configuration.our_keys(there, undo.NO_TARGET, configuration.read(there), [], [])
    assert ours["live-restore"] is False
    assert "live-restore" not in configuration.our_keys(host("swarm-node"), undo.NO_TARGET, {}, [], [])


def test_a_node_that_is_provisioned_keeps_it_off() -> None:
    off = swarm.let_go(host("provisioned"))
    assert off
    [change] = of_kind(off.changes, ConfigMerged)
    assert change.ours == {"live-restore": False}
    assert (
        configuration.keep_containers(replace(off.after, swarm=True, containers=frozenset("c")), undo.NO_TARGET) is None
    )


@pytest.mark.parametrize(
    ("rules", "blocked"),
    [
        ({}, []),
        ({"iptables": "-P INPUT ACCEPT"}, []),
        ({"iptables": "-P INPUT DROP"}, ["2377/tcp", "7946/tcp", "7946/udp", "4789/udp"]),
        (
            {"iptables": "-P INPUT DROP\n-A INPUT -p tcp -m tcp --dport 7946 -j ACCEPT"},
            ["2377/tcp", "7946/udp", "4789/udp"],
        ),
        ({"iptables": "-P INPUT ACCEPT\n-A INPUT -p udp -m udp --dport 4789 -j DROP"}, ["4789/udp"]),
        ({"firewalld": "2376/tcp 2377/tcp 7946/udp"}, ["7946/tcp", "4789/udp"]),
        ({"ufw": "### tuple ### allow any 7946 0.0.0.0/0 any 0.0.0.0/0 in"}, ["2377/tcp", "4789/udp"]),
    ],
)
def test_the_ports_that_a_firewall_keeps_other_nodes_from(rules: dict[str, str], blocked: list[str]) -> None:
    assert swarm.blocked(host("docker", firewalls=rules), PORTS) == blocked
