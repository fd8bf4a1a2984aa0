"""`forward --auto` with a real engine: published ports are here while their containers run."""

from __future__ import annotations

import json
import os
import select
import subprocess
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.container import run_container
from tests.support.lab_cli import generic
from tests.support.program import COMMAND

if TYPE_CHECKING:
    from tests.lab.fixtures import FreshHost
    from tests.support.lab_cli import Cli

pytestmark = pytest.mark.timeout(300)

SERVER = "httpd -f -p 80 -h /etc"
PATIENCE = 60


def told(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Wait for the next object on stdout."""
    assert process.stdout
    assert select.select([process.stdout], [], [], PATIENCE)[0]
    found: dict[str, Any] = json.loads(process.stdout.readline())
    return found


@pytest.mark.usefixtures("runtime")
def test_published_ports_are_here_while_their_containers_run(fresh_host: FreshHost, cli: Cli) -> None:
    host = fresh_host("docker")
    cli.ok(*generic(host))
    with subprocess.Popen(
        [*COMMAND, "forward", "--auto", "--json", "orion"],
        env={**os.environ, "MACHINE_STORAGE_PATH": str(cli.store)},
        stdout=subprocess.PIPE,
        # A buffer would hide a second line from select.
        bufsize=0,
    ) as process:
        try:
            run_container(host, "web", "-p 8080:80 -p 127.0.0.1:9090:80 -p 53:53/udp", SERVER)
            opened = [told(process), told(process)]
            assert {(each["Event"], each["Port"], each["Container"]) for each in opened} == {
                ("open", 8080, "web"),
                ("open", 9090, "web"),
            }
            for each in opened:
                with urllib.request.urlopen(f"http://127.0.0.1:{each['Local']}/hostname", timeout=PATIENCE) as answer:
                    assert answer.read().decode().strip() == host.output("docker inspect -f '{{.Config.Hostname}}' web")
            host.run("docker stop web")
            assert {told(process)["Event"], told(process)["Event"]} == {"close"}
            host.run("systemctl restart docker")
            host.run("docker start web")
            assert {told(process)["Event"], told(process)["Event"]} == {"open"}
        finally:
            process.terminate()
