"""A real server with two addresses, of which one is cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.container import run_container
from tests.support.lab_cli import generic

if TYPE_CHECKING:
    from tests.lab.fixtures import FreshHost
    from tests.support.lab_cli import Cli

PID = "docker inspect -f '{{.State.Pid}}' web"

pytestmark = pytest.mark.timeout(300)


def test_a_server_is_used_at_its_other_address_while_the_first_is_cut(fresh_host: FreshHost, cli: Cli) -> None:
    host = fresh_host("docker")
    start, _, last = host.ip.rpartition(".")
    other = f"{start}.{int(last) + 100}"
    host.run(f"busybox ip address add {other}/32 dev eth0")
    cli.ok(*generic(host))
    cli.ok("set", "--address", other, "orion")
    cli.ok("provision", "orion")
    run_container(host, "web")
    pid = host.output(PID)
    assert host.ip in cli.ok("url", "orion").stdout

    host.run(f"iptables -I INPUT -d {host.ip} -j DROP")
    assert cli.ok("status", "orion").stdout == "Running\n"
    assert cli.ok("url", "orion").stdout == f"tcp://{other}:2376\n"
    assert cli.ok("run", "orion", "--", "hostname").stdout.strip()
    assert cli.ok("docker", "orion", "--", "ps", "--format", "{{.Names}}").stdout.strip().endswith("web")
    cli.ok("set", "--engine-opt", "log-level=warn", "orion")
    cli.ok("provision", "orion")
    cli.ok("regenerate-certs", "-f", "orion")
    assert cli.ok("status", "orion").stdout == "Running\n"

    host.run(f"iptables -D INPUT -d {host.ip} -j DROP; iptables -I INPUT -d {other} -j DROP")
    assert cli.ok("status", "orion").stdout == "Running\n"
    assert host.ip in cli.ok("url", "orion").stdout
    assert host.output(PID) == pid
