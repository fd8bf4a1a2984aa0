"""live-restore around a restart, and before an engine becomes a Swarm node, decided on hosts recorded in the lab."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from machinectl.errors import CheckFailed
from machinectl.provision import daemon_json
from machinectl.provision.facts.host_facts import Facts, HostFile, ServiceState, parse_facts
from machinectl.provision.host_changes import ConfigMerged, DirectoryCreated, LiveRestoreChanged, merge_changes, of_kind
from machinectl.provision.steps import (
    engine_config,
    engine_goal,
    live_restore,
    restart_risks,
    undo_steps,
)
from machinectl.provision.target import Allowed, Target, with_changes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.provision.decision import Decision
    from machinectl.provision.host_changes import Change

DAEMON_JSON = "/etc/docker/daemon.json"
CERTIFICATES = {"ca.pem": b"ca", "server.pem": b"server"}
TARGET = Target("192.168.0.29", certificates=CERTIFICATES)


def host(name: str, **other: Any) -> Facts:
    return replace(parse_facts((Path(__file__).parent / "facts" / name).read_bytes()), **other)


def used(text: bytes | None, *, on: bool = False, **other: Any) -> Facts:
    """Return the facts of a host with a container and this daemon.json."""
    there = host("docker-with-a-container", **other)
    files = {} if text is None else {DAEMON_JSON: HostFile("644", 0, 0, text)}
    return replace(there, files=files, info={**there.info, "LiveRestoreEnabled": on} if there.info else {})


def with_config(facts: Facts, **keys: Any) -> Facts:
    config = HostFile("644", 0, 0, json.dumps(keys).encode())
    info = {**facts.info, "LiveRestoreEnabled": bool(keys.get("live-restore"))}
    return replace(facts, files={**facts.files, DAEMON_JSON: config}, info=info)


def written(decision: Decision) -> Any:
    """Return daemon.json after the decision."""
    config = decision.after.config
    return json.loads(config.content) if config else None


def told(decision: Decision) -> Any:
    """Return daemon.json when the engine reloads."""
    lines = decision.job.files["manifest"].decode().splitlines()
    at = [line.split(" ", 1)[1] for line in lines].index(DAEMON_JSON)
    return json.loads(decision.job.files[str(at + 1)])


def carried_out(facts: Facts, target: Target, changes: Sequence[Change] = ()) -> tuple[list[Decision], Facts, Any]:
    """Provision an installed engine; return the decisions, the host's facts afterwards, and the record."""
    done: list[Decision] = []
    for decide in (live_restore.borrow, engine_config.configure, lambda *given: live_restore.give_back(*given[:2])):
        decision = decide(facts, with_changes(target, changes))
        if decision:
            facts, changes = decision.after, merge_changes(changes, decision.changes)
            done.append(decision)
    return done, facts, live_restore.without_settled(facts, with_changes(target, changes), changes)


@pytest.mark.parametrize("text", [None, b'{"debug":true}', b'{"live-restore":false}'])
def test_live_restore_is_restored_after_a_restart(text: bytes | None) -> None:
    there = used(text)
    (borrowed, configured, given_back), after, changes = carried_out(there, TARGET)
    assert of_kind(borrowed.changes, LiveRestoreChanged)
    assert (told(borrowed)["live-restore"], told(configured)["live-restore"]) == (True, True)
    assert (given_back.title, given_back.job.variables["live_restore"]) == (
        "Turning live-restore off (as before)",
        "false",
    )
    assert told(given_back)["live-restore"] is False
    own = json.loads(text or b"{}")
    assert daemon_json.read_config(after).items() >= own.items()
    assert daemon_json.read_config(after).get("live-restore") == own.get("live-restore")
    assert of_kind(changes, LiveRestoreChanged) == []
    assert [merge.ours for merge in of_kind(changes, ConfigMerged) if "live-restore" in merge.ours] == []
    assert undo_steps.config_before(after, changes) == text
    assert live_restore.give_back(after, with_changes(TARGET, changes)) is None


def test_a_host_that_had_it_on_keeps_it() -> None:
    done, after, _ = carried_out(used(b'{"live-restore": true}', on=True), TARGET)
    assert [decision.title for decision in done] == ["Configuring the engine and restarting it"]
    assert daemon_json.read_config(after)["live-restore"] is True


@pytest.mark.parametrize(
    ("asked", "on"), [("live-restore=true", True), ("live-restore", True), ("live-restore=false", False)]
)
def test_engine_opt_stays_and_containers_survive_the_restart(asked: str, *, on: bool) -> None:
    target = replace(TARGET, options=(asked,))
    (borrowed, configured, *rest), after, changes = carried_out(used(b'{"debug": true}'), target)
    assert (told(borrowed)["live-restore"], told(configured)["live-restore"]) == (True, True)
    assert daemon_json.read_config(after)["live-restore"] is on
    assert [decision.title for decision in rest] == ([] if on else ["Turning live-restore off"])
    # Without the option, it goes without a restart, and nothing of it is recorded.
    assert engine_goal.goal(after, with_changes(TARGET, changes)).config == after.config_content
    back = live_restore.give_back(after, with_changes(TARGET, changes))
    assert back
    assert written(back) == {
        key: value for key, value in daemon_json.read_config(after).items() if key != "live-restore"
    }
    assert not live_restore.is_on_record(
        live_restore.without_settled(back.after, with_changes(TARGET, changes), changes)
    )


def test_changing_only_live_restore_needs_no_restart() -> None:
    _, there, changes = carried_out(host("docker"), TARGET)
    target = with_changes(replace(TARGET, options=("live-restore=true",)), changes)
    assert engine_goal.goal(there, target).config == there.config_content
    decision = live_restore.give_back(there, target)
    assert decision
    assert (decision.title, decision.job.variables["action"]) == ("Turning live-restore on", "reload")
    assert written(decision)["live-restore"] is True


def test_a_host_of_an_earlier_version_gets_back_what_it_had_by_a_reload() -> None:
    there = host("provisioned")
    ours = daemon_json.read_config(there)
    assert ours["live-restore"] is True
    record = (ConfigMerged(DAEMON_JSON, None, "644", ours, ""),)
    target = with_changes(TARGET, record)
    assert engine_goal.goal(there, target).config == there.config_content
    back = live_restore.give_back(there, target)
    assert back
    assert (back.job.variables["action"], told(back)["live-restore"]) == ("reload", False)
    changes = merge_changes(record, back.changes)
    left = live_restore.without_settled(back.after, with_changes(TARGET, changes), changes)
    assert not live_restore.is_on_record(left)
    # If it is turned on later, that is the owner's choice.
    own = with_config(there, **{**daemon_json.read_config(back.after), "live-restore": True})
    assert live_restore.give_back(own, with_changes(TARGET, left)) is None


def test_a_host_of_an_earlier_version_whose_owner_had_it_keeps_it() -> None:
    there = host("provisioned")
    record = (ConfigMerged(DAEMON_JSON, '{"live-restore": true}', "644", daemon_json.read_config(there), ""),)
    assert live_restore.give_back(there, with_changes(TARGET, record)) is None
    assert not live_restore.is_on_record(live_restore.without_settled(there, with_changes(TARGET, record), record))


def test_an_interrupted_change_is_restored_byte_for_byte() -> None:
    text = b'{"debug":true}'
    borrowed = live_restore.borrow(used(text), TARGET)
    assert borrowed
    back = live_restore.give_back(borrowed.after, with_changes(TARGET, borrowed.changes))
    assert back
    assert back.after.config_content == text
    assert back.job.variables["afterwards"] == f"644 {DAEMON_JSON}"
    assert back.job.files["afterwards"] == text
    # The host restored the file by itself, and the engine still has it on.
    put_back = used(text, on=True)
    again = live_restore.give_back(put_back, with_changes(TARGET, borrowed.changes))
    assert again
    assert (told(again), again.after.config_content) == ({"debug": True, "live-restore": False}, text)
    # Everything is done except the record.
    assert live_restore.give_back(used(text), with_changes(TARGET, borrowed.changes)) is None
    assert of_kind(live_restore.without_settled(used(text), TARGET, borrowed.changes), LiveRestoreChanged) == []


def test_a_file_that_we_created_is_removed() -> None:
    borrowed = live_restore.borrow(used(None), TARGET)
    assert borrowed
    back = live_restore.give_back(borrowed.after, with_changes(TARGET, borrowed.changes))
    assert back
    assert (back.after.config, back.job.variables["afterwards"]) == (None, f"- {DAEMON_JSON}")
    changes = merge_changes(borrowed.changes, back.changes)
    assert of_kind(changes, DirectoryCreated)
    assert live_restore.without_settled(back.after, with_changes(TARGET, changes), changes) == ()


def test_a_file_that_was_there_stays_on_record_with_its_backup() -> None:
    borrowed = live_restore.borrow(used(b"{}"), TARGET)
    assert borrowed
    back = live_restore.give_back(borrowed.after, with_changes(TARGET, borrowed.changes))
    assert back
    changes = merge_changes(borrowed.changes, back.changes)
    left = live_restore.without_settled(back.after, with_changes(TARGET, changes), changes)
    # The next restart must not take our write for somebody else's.
    assert [change.done for change in left if not isinstance(change, DirectoryCreated)] == [
        f"created the file {DAEMON_JSON}.before-machinectl",
        f"rewrote {DAEMON_JSON}",
    ]


def test_an_engine_that_would_start_without_it_gets_it() -> None:
    assert live_restore.borrow(used(b"{}", on=True), TARGET)
    stopped = used(b"{}", service=ServiceState(loaded=True), info={})
    decision = live_restore.borrow(stopped, TARGET)
    assert decision
    assert (decision.job.variables["action"], written(decision)["live-restore"]) == ("none", True)


def test_it_is_turned_off_before_an_engine_becomes_a_node_and_nothing_else_is_changed() -> None:
    there = with_config(host("docker"), **{"live-restore": True, "debug": True})
    decision = live_restore.turn_off_for_swarm(there, TARGET)
    assert decision
    assert (decision.job.variables["action"], decision.job.variables["live_restore"]) == ("reload", "false")
    assert written(decision) == {"live-restore": False, "debug": True}
    assert live_restore.turn_off_for_swarm(decision.after, with_changes(TARGET, decision.changes)) is None
    assert live_restore.turn_off_for_swarm(host("docker"), TARGET) is None
    # daemon.json turns it on at the next start.
    assert live_restore.turn_off_for_swarm(replace(there, info={**there.info, "LiveRestoreEnabled": False}), TARGET)


def test_what_somebody_wrote_is_told_before_the_restart_even_after_a_reload_of_ours() -> None:
    (borrowed, configured, given_back), after, changes = carried_out(used(b'{"debug":true}', edited=True), TARGET)
    assert borrowed.warnings == given_back.warnings == ()
    assert ["was changed since the engine was started" in warning for warning in configured.warnings] == [True]
    # Our last write is newer than the engine, too.
    assert not restart_risks.is_config_edited(replace(after, edited=True), with_changes(TARGET, changes))


def test_what_somebody_wrote_after_a_set_up_is_told_before_an_undoing() -> None:
    _, there, changes = carried_out(used(b'{"debug":true}'), TARGET)
    edited = replace(with_config(there, **daemon_json.read_config(there), mtu=1400), edited=True)
    borrowed = live_restore.borrow(edited, with_changes(TARGET, changes))
    assert borrowed
    undoing = undo_steps.restore_config(borrowed.after, merge_changes(changes, borrowed.changes), restart=True)
    assert undoing
    assert "was changed since the engine was started" in undoing.warnings[0]


def test_it_stays_on_while_a_stopped_engine_has_containers_and_undoing_refuses_them() -> None:
    borrowed = live_restore.borrow(used(b'{"debug":true}'), TARGET)
    assert borrowed
    down = replace(borrowed.after, service=ServiceState(loaded=True, failed=True), info={})
    target = with_changes(TARGET, borrowed.changes)
    assert live_restore.give_back(down, target) is None
    assert live_restore.without_settled(down, target, borrowed.changes) == borrowed.changes
    with pytest.raises(CheckFailed, match="stopped but has 1 container: without live-restore, its start ends them"):
        undo_steps.check_undoable(down, borrowed.changes, Allowed())
    empty = replace(down, containers=frozenset())
    assert live_restore.give_back(empty, target)
    undo_steps.check_undoable(empty, borrowed.changes, Allowed())


def test_a_command_line_flag_cannot_be_reloaded() -> None:
    there = with_config(host("docker"), **{"live-restore": True})
    unit = there.unit.replace("ExecStart=/usr/sbin/dockerd", "ExecStart=/usr/sbin/dockerd --live-restore")
    assert unit != there.unit
    with pytest.raises(CheckFailed, match="--live-restore"):
        live_restore.turn_off_for_swarm(replace(there, unit=unit), TARGET)


def test_it_is_turned_on_again_when_an_engine_leaves_a_swarm() -> None:
    before = with_config(host("docker"), **{"live-restore": True, "debug": True})
    off = live_restore.turn_off_for_swarm(before, TARGET)
    assert off
    target, node = with_changes(TARGET, off.changes), replace(off.after, swarm=True)
    assert live_restore.give_back(node, target) is None
    assert live_restore.without_settled(node, target, off.changes) == off.changes
    on = live_restore.give_back(off.after, target)
    assert on
    assert on.job.variables["live_restore"] == "true"
    assert on.after.config_content == before.config_content
    assert not live_restore.is_on_record(live_restore.without_settled(on.after, target, off.changes))


def test_what_an_earlier_version_turned_off_for_a_swarm_is_on_again_after_it() -> None:
    record = (ConfigMerged(DAEMON_JSON, '{"live-restore": true}', "644", {"live-restore": False}, ""),)
    there = with_config(host("docker"), **{"live-restore": False})
    assert live_restore.give_back(replace(there, swarm=True), with_changes(TARGET, record)) is None
    on = live_restore.give_back(there, with_changes(TARGET, record))
    assert on
    assert written(on) == {"live-restore": True}


def test_undoing_gives_back_what_was_there_before() -> None:
    before = with_config(host("docker"), **{"live-restore": True, "debug": True})
    off = live_restore.turn_off_for_swarm(before, TARGET)
    assert off
    assert undo_steps.config_before(off.after, off.changes) == before.config_content


def test_undo_never_turns_it_on_for_a_node() -> None:
    before = with_config(host("docker"), **{"live-restore": True, "debug": True})
    off = live_restore.turn_off_for_swarm(before, TARGET)
    assert off
    node = replace(off.after, swarm=True)
    assert json.loads(undo_steps.config_before(node, off.changes) or b"") == {"debug": True}


def test_a_node_that_would_start_with_it_gets_it_turned_off_first() -> None:
    there = with_config(host("swarm-node"), **{"live-restore": True})
    assert there.swarm
    assert engine_goal.our_keys(there, TARGET, daemon_json.read_config(there), [])["live-restore"] is False
    asked = replace(TARGET, options=("live-restore=true",))
    assert engine_goal.our_keys(host("swarm-node"), asked, {}, [])["live-restore"] is False
    assert "live-restore" not in engine_goal.our_keys(host("swarm-node"), TARGET, {}, [])
