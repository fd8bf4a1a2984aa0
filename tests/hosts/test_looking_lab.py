"""`ps` and `info` of a real server with containers: what docker's own command line and the host itself say."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.lab.container import run_container
from tests.support.lab_cli import generic
from tests.support.real import need

if TYPE_CHECKING:
    from tests.lab.fixtures import FreshHost
    from tests.support.lab_cli import Cli

pytestmark = pytest.mark.timeout(300)

# Without how long ago it was, which a second that passes changes.
TABLE = "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.CreatedAt}}\t{{.Ports}}\t{{.Names}}\t{{.Mounts}}\t{{.Networks}}"
PUBLISHED = "-p 8080:80 -p 127.0.0.1:9000-9002:9000-9002 -p 53:53/udp --expose 81-83 -v data:/data -l a=b"


def test_the_containers_of_a_server_and_how_it_is_doing(fresh_host: FreshHost, cli: Cli) -> None:
    need("docker")
    host = fresh_host("docker")
    web = run_container(host, "web", PUBLISHED)
    run_container(host, "job", "--network none")
    host.run("docker update --restart no job && docker stop job")
    cli.ok(*generic(host))

    docker = ["docker", *cli.ok("config", "orion").stdout.split()]
    for flags in ([], ["-a"], ["--no-trunc"], ["-a", "-f", "status=exited"], ["-f", "label=a=b"]):
        theirs = subprocess.run([*docker, "ps", *flags, "--format", TABLE], capture_output=True, text=True, check=True)
        assert cli.ok("ps", *flags, "--format", TABLE).stdout == theirs.stdout
    [found] = json.loads(cli.ok("ps", "--json").stdout)
    assert (found["Machine"], found["ID"], found["State"], found["Networks"]) == ("orion", web, "running", "bridge")
    assert "0.0.0.0:8080->80/tcp" in found["Ports"]
    assert "127.0.0.1:9000-9002->9000-9002/tcp" in found["Ports"]

    [known] = json.loads(cli.ok("info", "--ssh", "--json", "orion").stdout)
    assert known["HostName"] == host.output("hostname")
    assert (known["ContainersRunning"], known["Containers"], known["Images"]) == (1, 2, 1)
    assert [each["File"] for each in known["Certificates"]] == ["ca.pem", "cert.pem", "server.pem"]
    assert known["Disk"]["Total"] == 1024 * int(host.output("df -Pk /var/lib/docker | awk 'NR == 2 { print $2 }'"))
    assert known["Uptime"] > 0
    said = cli.ok("info", "--ssh", "orion").stdout
    assert [line.partition(":")[0] for line in said.splitlines()[-3:]] == ["Disk", "Load", "Uptime"]
