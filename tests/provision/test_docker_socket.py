"""docker.socket, on hosts as they were read in the lab: masked, or moved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl.check import Verdict
from machinectl.doctor.host_condition import Shell, ssh_only_checks
from machinectl.errors import CheckFailed
from machinectl.provision.facts.host_facts import DAEMON_JSON, Facts, HostFile, ServiceState, parse_facts
from machinectl.provision.host_changes import ConfigMerged, ServiceStarted
from machinectl.provision.steps import docker_socket, engine_config, setup_steps, undo_steps
from machinectl.provision.target import NOTHING_SPECIAL, Allowed, Target
from machinectl.ssh.runner import CommandResult
from tests.support.runner import RecordedHost

if TYPE_CHECKING:
    from typing import Any

FACTS = Path(__file__).parent / "facts"
MASKED = frozenset({"docker.socket"})
OWN_UNIT = "# /etc/systemd/system/docker.service\n[Service]\nExecStart=/usr/bin/dockerd\n"
SSH_ONLY = Target("192.0.2.29", ssh_only=True, labels={"room": "lab"})


def host(name: str = "docker", **different: Any) -> Facts:
    return replace(parse_facts((FACTS / name).read_bytes()), **different)


@pytest.mark.parametrize("allowed", [NOTHING_SPECIAL, Allowed(force=True)])
def test_an_engine_that_could_not_start_again_without_its_masked_socket_is_not_restarted(allowed: Allowed) -> None:
    with pytest.raises(CheckFailed) as raised:
        engine_config.configure(host(masked=MASKED), SSH_ONLY, allowed)
    assert "docker.socket on the host is masked" in raised.value.cause
    assert "systemctl unmask docker.socket; then" in raised.value.hint


def test_a_masked_socket_that_the_unit_does_not_need_is_no_matter() -> None:
    assert engine_config.configure(host(unit=OWN_UNIT, masked=MASKED), SSH_ONLY)


@pytest.mark.parametrize(
    "needs",
    [
        {"unit": OWN_UNIT.replace("[Service]", "[Unit]\nRequires=network.target docker.socket\n[Service]")},
        # systemd resets no list of dependencies.
        {"unit": OWN_UNIT.replace("[Service]", "[Unit]\nRequires=docker.socket\nRequires=\n[Service]")},
        {"unit": OWN_UNIT.replace("dockerd", "dockerd -H fd://")},
        {"unit": OWN_UNIT, "files": {DAEMON_JSON: HostFile("644", 0, 0, b'{"hosts": ["fd://"]}')}},
    ],
    ids=["required", "not reset", "flag", "daemon.json"],
)
def test_a_unit_needs_the_socket_that_it_requires_or_listens_on(needs: dict[str, Any]) -> None:
    assert not docker_socket.is_needed(host(unit=OWN_UNIT))
    assert docker_socket.is_needed(host(**needs))


def test_a_purge_that_has_to_restart_the_engine_is_refused_before_it_begins() -> None:
    there = HostFile("644", 0, 0, b'{"tlsverify": true}')
    changes = [ConfigMerged(DAEMON_JSON, None, "644", {"tlsverify": True}, "")]
    masked = host(masked=MASKED, files={DAEMON_JSON: there})
    with pytest.raises(CheckFailed, match=r"docker\.socket on the host is masked"):
        undo_steps.check_undoable(masked, changes, NOTHING_SPECIAL)
    # One that it stops needs no start.
    undo_steps.check_undoable(masked, [*changes, ServiceStarted("docker.service")], NOTHING_SPECIAL)


ABSENT = "dial unix /var/run/docker.sock: connect: no such file or directory"
DENIED = "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock"


STOPPED = {"service": ServiceState(loaded=True)}
OPS = {"login": "ops", "login_groups": frozenset({"ops"})}


def test_an_engine_that_docker_would_not_reach_over_ssh_keeps_its_listener() -> None:
    facts = host(docker_over_ssh=ABSENT)
    with pytest.raises(CheckFailed, match=f"docker does not reach the engine over SSH: {ABSENT}") as raised:
        setup_steps.check_host(facts, SSH_ONLY, NOTHING_SPECIAL)
    assert "See why, on the host as root: docker version" in raised.value.hint
    assert raised.value.hint.endswith("or omit --ssh-only")
    [*_, socket, _] = ssh_only_checks(facts, replace(SSH_ONLY, name="orion"), Shell("orion"))
    assert (socket.title, socket.verdict) == ("Socket", Verdict.BROKEN)
    assert socket.hint.endswith("machinectl set --no-ssh-only orion; machinectl provision orion")


@pytest.mark.parametrize(
    ("different", "said"),
    [
        ({}, ""),
        (OPS, DENIED),
        (STOPPED, ABSENT),
    ],
    ids=["reached", "no member yet", "stopped"],
)
def test_an_engine_that_docker_reaches_once_it_is_set_up_is_not_refused(different: dict[str, Any], said: str) -> None:
    docker_socket.check_reached_over_ssh(host(docker_over_ssh=said, **different), SSH_ONLY)


@pytest.mark.parametrize(
    ("status", "errors", "said"),
    [
        (0, "a banner", ""),
        (127, "sh: docker: not found", "sh: docker: not found"),
        (1, ABSENT, ABSENT),
        (124, "", "docker ended with status 124 (124: no answer in time)"),
    ],
)
def test_what_docker_says_to_the_ssh_user_is_one_line(status: int, errors: str, said: str) -> None:
    class Login(RecordedHost):
        def run(self, script: str, **_: Any) -> CommandResult:
            assert script == "timeout 10 docker version --format '{{.Server.Version}}'"
            return CommandResult(status, b"", errors.encode())

    assert docker_socket.ask_over_ssh(Login()) == said
