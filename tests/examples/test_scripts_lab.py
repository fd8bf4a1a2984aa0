"""The scripts that make a server of the lab a Docker host, or use one. Each runs as it stands."""

from __future__ import annotations

import re
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.lab.place import KEY
from tests.support.example import need_compose

if TYPE_CHECKING:
    from tests.lab.fixtures import FreshHost
    from tests.lab.host import Host
    from tests.support.example import Example

pytestmark = pytest.mark.timeout(300)


def onboarded(example: Example, host: Host, name: str) -> str:
    login = ("--generic-ssh-user", "ops", "--generic-ssh-key", KEY)
    return example.run("onboard.sh", host.ip, name, *login, "--engine-install", "distro")


def test_a_server_of_the_lan_becomes_a_docker_host(fresh_host: FreshHost, example: Example) -> None:
    host = fresh_host()
    told = onboarded(example, host, "orionbox")
    foreseen, done = told.split("Docker is up and running!\n")
    assert "docker.io" in foreseen
    assert "/etc/docker/daemon.json" in done
    assert re.search(r"^The engine of linux/\w+ is \d+\.\d+\.\d+", told, re.MULTILINE)


def test_compose_runs_a_project_on_a_machine(fresh_host: FreshHost, example: Example) -> None:
    need_compose()
    host = fresh_host("docker")
    onboarded(example, host, "orionbox")
    # Without a registry: the host's own busybox is the image.
    host.run("tar -C /usr -c bin/busybox | docker import - busybox")
    told = example.run("compose/up.sh", "orionbox")
    url = f"http://{host.ip}:8080"
    assert f"See {url}\n" in told
    with urllib.request.urlopen(url) as page:
        assert page.read() == b"It works, and it is not on this computer.\n"
