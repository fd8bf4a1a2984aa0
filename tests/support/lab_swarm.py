"""Servers of the lab that are, or become, nodes of a swarm."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.lab.container import IMAGE
from tests.support.lab_cli import generic
from tests.support.real import need

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.lab.host import Host
    from tests.lab.lan import Lab
    from tests.support.lab_cli import Cli

# Seconds: for a change, and between questions, which take the CPU time that the swarm needs.
PATIENCE, PAUSE = 60, 0.5


@contextmanager
def servers_with_image(lab: Lab, cli: Cli, names: Sequence[str]) -> Iterator[dict[str, Host]]:
    """Servers with engines that are provisioned, as machines of these names, each with an image to run."""
    need("docker")
    hosts = dict(zip(names, lab.up(["docker"], count=len(names)), strict=True))

    def make(name: str) -> None:
        hosts[name].wait_booted()
        cli.ok(*generic(hosts[name], name=name))
        hosts[name].run(f"tar -C /usr -c bin/busybox | docker import - {IMAGE}")

    try:
        with ThreadPoolExecutor(4) as several:
            list(several.map(make, hosts))
        yield hosts
    finally:
        for host in hosts.values():
            host.remove()


def status(cli: Cli) -> dict[str, Any]:
    [found] = json.loads(cli.run("swarm", "status", "-t", "1", "--json").stdout)
    assert isinstance(found, dict)
    return found


def nodes(cli: Cli) -> dict[str, dict[str, Any]]:
    return {node["Machine"]: node for node in status(cli)["Nodes"]}


def until(done: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, what
        time.sleep(PAUSE)
