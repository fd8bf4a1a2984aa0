"""docker.socket, on hosts as they were read in the lab: masked, or moved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl.errors import CheckFailed
from machinectl.host_changes import ConfigMerged, ServiceStarted
from machinectl.provision.facts.host_facts import DAEMON_JSON, Facts, HostFile, parse_facts
from machinectl.provision.steps import docker_socket, engine_config, undo_steps
from machinectl.provision.target import NOTHING_SPECIAL, Allowed, Target

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
    assert "systemctl unmask docker.socket; systemctl restart docker.socket docker;" in raised.value.hint
    assert "stops" not in raised.value.hint


def test_the_containers_that_its_repair_stops_are_named() -> None:
    used = host("docker-with-a-container", masked=MASKED)
    with pytest.raises(CheckFailed) as raised:
        docker_socket.check_not_masked(used)
    assert "That stops 1 container, unless you first add" in raised.value.hint
    with pytest.raises(CheckFailed) as raised:
        docker_socket.check_not_masked(replace(used, info={**used.info, "LiveRestoreEnabled": True}))
    assert "stops" not in raised.value.hint


def test_a_masked_socket_that_the_unit_does_not_need_is_no_matter() -> None:
    assert engine_config.configure(host(unit=OWN_UNIT, masked=MASKED), SSH_ONLY)


@pytest.mark.parametrize(
    "needs",
    [
        {"unit": OWN_UNIT.replace("[Service]", "[Unit]\nRequires=network.target docker.socket\n[Service]")},
        {"unit": OWN_UNIT.replace("dockerd", "dockerd -H fd://")},
        {"unit": OWN_UNIT, "files": {DAEMON_JSON: HostFile("644", 0, 0, b'{"hosts": ["fd://"]}')}},
    ],
    ids=["required", "flag", "daemon.json"],
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
