"""Hosts whose engine is reached over SSH only: what is decided for them, and undone."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from machinectl import certs
from machinectl.check import Check, Verdict
from machinectl.doctor.host_condition import Shell, ssh_only_checks
from machinectl.errors import CheckFailed
from machinectl.provision import firewall, preflight, revision
from machinectl.provision.facts.host_facts import OWN_DIRECTORY, Facts, HostFile, Sum, parse_facts
from machinectl.provision.host_changes import (
    CaTrusted,
    ConfigMerged,
    FileCreated,
    GroupJoined,
    PortOpened,
    merge_changes,
)
from machinectl.provision.steps import docker_socket, engine_config, engine_goal, undo_steps
from machinectl.provision.target import Allowed, Target, with_changes

if TYPE_CHECKING:
    from machinectl.provision.decision import Decision

FACTS = Path(__file__).parent / "facts"
DAEMON_JSON = "/etc/docker/daemon.json"
BY_SUDO: dict[str, Any] = {"login": "ops", "login_groups": frozenset({"ops", "sudo"})}
ONLY = Target("192.168.0.29", ssh_only=True)
JOINED = GroupJoined("ops", "docker")


def recorded(name: str, **different: Any) -> Facts:
    return replace(parse_facts((FACTS / name).read_bytes()), **different)


def configured(facts: Facts, target: Target) -> Decision:
    decision = engine_config.configure(facts, target)
    assert decision
    return decision


def with_tls(config: bytes | None = None) -> tuple[Facts, Decision]:
    """A host that was set up to listen with TLS, and the decision that did it."""
    ca = certs.new_ca("test")
    server = certs.issue_server(ca, ["192.168.0.29"])
    files = {"ca.pem": ca.certificate, "server.pem": server.certificate + server.key}
    bare = recorded("docker", files={DAEMON_JSON: HostFile("644", 0, 0, config)} if config else {})
    decision = configured(bare, Target("192.168.0.29", certificates=files))
    paths = [line.split(" ", 1) for line in decision.job.files["manifest"].decode().splitlines()]
    content = {path: decision.job.content_of(path) or b"" for _, path in paths}
    sums = {
        path: Sum(mode, 0, 0, hashlib.sha256(content[path]).hexdigest())
        for mode, path in paths
        if path.startswith(f"{OWN_DIRECTORY}/")
    }
    there = {path: HostFile(mode, 0, 0, content[path]) for mode, path in paths if path not in sums}
    return replace(bare, files={**bare.files, **there}, sums=sums), decision


def only(decision: Decision) -> Target:
    own = frozenset(change.sha256 for change in decision.changes if isinstance(change, CaTrusted))
    return with_changes(replace(ONLY, own_cas=own), decision.changes)


def test_an_engine_that_runs_is_left_as_it_is() -> None:
    assert engine_config.configure(recorded("docker"), ONLY) is None
    own = json.dumps({"hosts": ["unix:///var/run/docker.sock", "tcp://127.0.0.1:2375"]}).encode()
    facts = recorded("docker", files={DAEMON_JSON: HostFile("644", 0, 0, own)})
    facts = replace(facts, unit=facts.unit.replace("-H fd://", ""))
    assert engine_config.configure(facts, ONLY) is None
    assert engine_goal.tcp_addresses(facts) == ["tcp://127.0.0.1:2375"]


def test_options_are_set_without_a_listener() -> None:
    decision = configured(recorded("docker"), replace(ONLY, options=("log-level=warn",)))
    assert json.loads(decision.job.content_of(DAEMON_JSON) or b"") == {"log-level": "warn"}
    assert decision.job.files["manifest"] == f"644 {DAEMON_JSON}\n".encode()
    assert decision.job.variables["port"] == ""


def test_what_tls_needs_is_not_asked_of_the_host() -> None:
    facts = recorded("docker", no_way="nothing answers", listeners=(0,), clock=0)
    preflight.check_all(facts, ONLY)


@pytest.mark.parametrize("before", [None, b'{"log-level": "warn"}', b'{"hosts": ["fd://", "tcp://127.0.0.1:2375"]}'])
def test_a_listener_of_ours_is_taken_away_and_the_hosts_own_configuration_is_back(before: bytes | None) -> None:
    facts, made = with_tls(before)
    decision = configured(facts, only(made))
    assert json.loads(decision.job.content_of(DAEMON_JSON) or b"") == json.loads(before or b"{}")
    # daemon.json is first: the engine could start after each file.
    first, *gone = decision.job.files["manifest"].decode().splitlines()
    assert first == f"644 {DAEMON_JSON}"
    assert {f"- {OWN_DIRECTORY}/ca.pem", f"- {OWN_DIRECTORY}/server.pem"} <= set(gone)
    assert {type(change) for change in decision.undone} == {FileCreated, CaTrusted}


def test_of_the_last_change_only_the_number_stays() -> None:
    facts, made = with_tls()
    facts = replace(facts, revision="7 0123456789abcdef 2026-11-27T22:40:00Z bob@pc")
    decision = configured(facts, only(made))
    assert decision.job.content_of(revision.PATH) == b"7\n"
    assert f"600 {revision.PATH}" in decision.job.files["manifest"].decode().splitlines()
    assert FileCreated(revision.PATH) not in decision.undone
    closed = replace(facts, sums={}, revision="7")
    assert revision.PATH not in [file.path for file in engine_config.certificates_to_remove(closed, only(made))]


def test_an_address_that_somebody_added_stays() -> None:
    facts, made = with_tls()
    config = json.loads(facts.config_content or b"")
    config["hosts"].append("tcp://127.0.0.1:2375")
    facts = replace(facts, files={**facts.files, DAEMON_JSON: HostFile("644", 0, 0, json.dumps(config).encode())})
    wanted = engine_goal.goal(facts, only(made))
    assert json.loads(wanted.config) == {"hosts": ["fd://", "tcp://127.0.0.1:2375"]}
    # The unit's -H and `hosts` exclude each other: our drop-in stays.
    assert wanted.drop_in is not None


def test_certificates_of_another_computer_stay() -> None:
    facts, _ = with_tls()
    target = replace(ONLY, own_cas=frozenset({"ab" * 32}))
    assert engine_config.changed_files(facts, target, engine_goal.goal(facts, target)) == []


def test_the_listener_of_another_computer_that_replaced_our_ca_stays_unless_forced() -> None:
    facts, made = with_tls()
    ca = f"{OWN_DIRECTORY}/ca.pem"
    theirs = replace(facts, sums={**facts.sums, ca: facts.sums[ca]._replace(sha256="cd" * 32)}, revision="2 a b bob@pc")
    with pytest.raises(CheckFailed, match="another computer's CA: bob@pc set it up") as refused:
        engine_config.configure(theirs, replace(only(made), name="orion"))
    assert "locks out its owner: machinectl provision --force orion" in refused.value.hint
    assert engine_config.configure(theirs, only(made), Allowed(force=True))
    # A machine that never listened there takes nothing away.
    assert engine_config.configure(theirs, ONLY) is None


def test_undone_after_the_listener_went_the_host_is_as_it_was() -> None:
    facts, made = with_tls(b'{"log-level": "warn"}')
    decision = configured(facts, only(made))
    changes = merge_changes(made.changes, decision.changes)
    changes = tuple(change for change in changes if change not in decision.undone)
    after = replace(
        facts, sums={}, files={DAEMON_JSON: HostFile("644", 0, 0, decision.job.content_of(DAEMON_JSON) or b"")}
    )
    assert undo_steps.config_before(after, changes) == b'{"log-level": "warn"}'


def test_the_user_joins_the_group_of_the_socket_and_leaves_it() -> None:
    joining = docker_socket.join_group(recorded("docker", **BY_SUDO), ONLY)
    assert joining
    assert joining.changes == (JOINED,)
    assert joining.job.variables["command"].startswith("usermod -aG docker ops || ")
    assert joining.warnings == ("ops becomes a member of the group docker, and with that has root's power on the host",)
    assert docker_socket.join_group(joining.after, ONLY) is None
    assert docker_socket.leave_unused_group(joining.after, with_changes(ONLY, [JOINED])) is None
    assert docker_socket.leave_group(joining.after, [GroupJoined("ops", "sudo")]) is None
    leaving = docker_socket.leave_unused_group(joining.after, with_changes(replace(ONLY, ssh_only=False), [JOINED]))
    purging = docker_socket.leave_group(joining.after, [JOINED])
    for decision in (leaving, purging):
        assert decision
        assert decision.undone == (JOINED,)
        assert decision.title == "Removing ops from the group docker"


def test_nobody_joins_a_group_for_root_or_with_tls() -> None:
    assert docker_socket.join_group(recorded("docker"), ONLY) is None
    assert docker_socket.join_group(recorded("docker", **BY_SUDO), replace(ONLY, ssh_only=False)) is None


@pytest.mark.parametrize(("different", "cause"), [({"socket_group": "root"}, "group root"), ({"login": "a b"}, "a b")])
def test_a_membership_that_cannot_be_is_refused(different: dict[str, Any], cause: str) -> None:
    with pytest.raises(CheckFailed, match=cause) as refused:
        docker_socket.join_group(recorded("docker", **{**BY_SUDO, **different}), ONLY)
    assert "On the host" in refused.value.hint or "on the host" in refused.value.hint


def test_a_port_of_ours_in_the_firewall_is_closed() -> None:
    opened = PortOpened("ufw", "2376", "ufw delete allow 2376/tcp")
    closing = firewall.open_port(recorded("docker"), with_changes(ONLY, [opened]))
    assert closing
    assert closing.undone == (opened,)
    assert firewall.open_port(recorded("docker"), ONLY) is None


def test_a_change_of_the_record_leaves_tls_only_if_it_is_ours() -> None:
    facts, made = with_tls()
    merged = [change for change in made.changes if isinstance(change, ConfigMerged)]
    assert engine_goal.goal(facts, with_changes(ONLY, merged)).config == b"{}\n"


def checks(facts: Facts, target: Target = ONLY) -> list[Check]:
    return [*ssh_only_checks(facts, target, Shell("orion", "sudo"))]


def test_doctor_sees_a_user_without_the_group_and_an_engine_that_listens() -> None:
    assert [check.verdict for check in checks(recorded("docker"))] == [Verdict.OK, Verdict.OK]
    facts, made = with_tls()
    facts = replace(facts, **BY_SUDO, listeners=(min(facts.engines, default=0),))
    group, listener = checks(facts, only(made))
    assert (group.verdict, group.hint) == (Verdict.BROKEN, "Make it a member: machinectl provision orion")
    # provision makes nobody a member of root's group.
    group, *_ = checks(replace(facts, socket_group="root"), only(made))
    assert "group root" in group.seen
    assert "chgrp docker /var/run/docker.sock" in group.hint
    assert listener.verdict in {Verdict.BROKEN, Verdict.UNKNOWN}
    own = json.dumps({"hosts": ["fd://", "tcp://127.0.0.1:2375"]}).encode()
    _, listener = checks(recorded("docker", files={DAEMON_JSON: HostFile("644", 0, 0, own)}))
    assert (listener.verdict, "tcp://127.0.0.1:2375" in listener.seen) == (Verdict.UNKNOWN, True)
    seen = (
        f"See that configuration: machinectl ssh orion sudo cat {DAEMON_JSON}; and: machinectl ssh orion sudo systemctl"
    )
    assert listener.hint == f"{seen} cat docker.service docker.socket"
    _, listener = checks(recorded("docker", socket_listens=("127.0.0.1:2375",)))
    assert (listener.verdict, "127.0.0.1:2375" in listener.seen) == (Verdict.UNKNOWN, True)
