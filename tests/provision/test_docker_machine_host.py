"""What docker-machine left on a host is known by its command line, and taken on; what is like it is not."""

from __future__ import annotations

import pytest

from machinectl.errors import CheckFailed
from machinectl.provision import preflight
from machinectl.provision.facts import docker_unit
from machinectl.provision.facts.host_facts import DROP_INS, Facts
from machinectl.provision.steps import engine_goal
from machinectl.provision.target import Allowed
from tests.provision.test_steps import host, target
from tests.support.docker_machine import drop_in

PATH = f"{DROP_INS}/10-machine.conf"
TEXT = drop_in("generic", "overlay2", {"Labels": ["rack=7"]})


def started_by(text: str, path: str = PATH) -> Facts:
    """A host whose docker.service has a drop-in."""
    found = host("docker")
    return host("docker", unit=f"{found.unit}\n\n# {path}\n{text}")


def test_its_drop_in_is_taken_on_without_force() -> None:
    there = started_by(TEXT)
    assert docker_unit.is_by_docker_machine(there)
    preflight.check_all(there, target())
    goal = engine_goal.goal(there, target(labels={"rack": "7"}))
    assert b'"tlscacert": "/etc/docker/machinectl/ca.pem"' in goal.config
    assert goal.drop_in is not None
    assert b"/etc/docker/ca.pem" not in goal.drop_in
    assert b"--storage-driver overlay2" in goal.drop_in
    assert b"provider=generic" in goal.drop_in + goal.config


def test_its_unit_of_other_distributions_is_known_too() -> None:
    # libmachine/provision/redhat.go and others have it as the unit itself.
    assert docker_unit.is_by_docker_machine(host("docker", unit=f"# /etc/systemd/system/docker.service\n{TEXT}"))


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("--label provider=generic ", ""),
        TEXT.replace("/etc/docker/ca.pem", "/etc/docker/ssl/ca.pem"),
        TEXT.replace("--tlscacert /etc/docker/ca.pem ", ""),
    ],
)
def test_what_somebody_else_made_like_it_is_refused_as_before(text: str) -> None:
    there = started_by(text)
    assert not docker_unit.is_by_docker_machine(there)
    with pytest.raises(CheckFailed, match="with another CA"):
        preflight.check_all(there, target())
    preflight.check_all(there, target(), Allowed(force=True))


def test_once_it_is_ours_it_is_docker_machines_no_more() -> None:
    there = started_by(TEXT)
    ours = engine_goal.goal(there, target()).drop_in
    assert ours is not None
    taken = f"{there.unit}\n\n# {docker_unit.drop_in_path((PATH,))}\n{ours.decode()}"
    assert not docker_unit.is_by_docker_machine(host("docker", unit=taken))


@pytest.mark.parametrize("text", ["", "# /x\n[Service]\n", "# /x\n[Service]\nExecStart=/usr/bin/docker daemon\n"])
def test_a_unit_that_starts_no_dockerd_is_not_its(text: str) -> None:
    assert not docker_unit.is_by_docker_machine(host("docker", unit=text))
