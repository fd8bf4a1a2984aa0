"""The scripts that make a server of the lab a Docker host, or use one. Each runs as it stands."""

from __future__ import annotations

import re
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.hosts.test_moving_lab import DockerMachine
from tests.lab.container import run_container
from tests.lab.place import KEY
from tests.support.example import need_compose

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.fixtures import FreshHost
    from tests.lab.host import Host
    from tests.support.example import Example

pytestmark = pytest.mark.timeout(300)


def onboarded(example: Example, host: Host, name: str) -> str:
    login = ("--generic-ssh-user", "ops", "--generic-ssh-key", KEY)
    return example.run("onboard.sh", host.ip, name, *login, "--engine-install", "distro")


def test_compose_runs_a_project_on_a_machine(fresh_host: FreshHost, example: Example) -> None:
    need_compose()
    host = fresh_host("docker")
    foreseen, done = onboarded(example, host, "orionbox").split("Docker is up and running!\n")
    assert "/etc/docker/daemon.json" in foreseen
    assert "/etc/docker/daemon.json" in done
    # Without a registry: the host's own busybox is the image.
    host.run("tar -C /usr -c bin/busybox | docker import - busybox")
    told = example.run("compose/up.sh", "orionbox")
    url = f"http://{host.ip}:8080"
    assert f"See {url}\n" in told
    with urllib.request.urlopen(url) as page:
        assert page.read() == b"It works, on another computer.\n"


def test_a_host_of_docker_machines_is_used_then_taken_over(
    fresh_host: FreshHost, example: Example, tmp_path: Path
) -> None:
    host = fresh_host("docker")
    old = DockerMachine(tmp_path / "old", host)
    run_container(host, "web")
    move = ("move-from-docker-machine.sh", old.store.root)
    assert re.search(r"^web .* Running ", example.run(*move), re.MULTILINE)
    assert old.is_let_in()
    told = example.run(*move, "web")
    assert "web: here already" in told
    assert re.search(r"^\w+ +lab/busybox .* Up .* web$", told, re.MULTILINE)
    assert not old.is_let_in()
    assert old.store.snapshot() == old.before
