"""What the docker CLI waits for, of `make bench`: its plugin, as it is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.commands.docker_plugin import docker_plugin_install
from machinectl.machines.record import Machine
from machinectl.machines.store import Store
from tests.support.measure import MACHINECTL, Cost, measured, median, row
from tests.support.quiet import Quiet
from tests.support.registered import added

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

RUNS = 20
# In seconds.
PROMISE = 0.1


def as_plugin(work: Path) -> Iterator[Sequence[str]]:
    """The plugin's own words, and a Tab; `docker` itself is not among what is measured."""
    environment = {"DOCKER_CONFIG": str(work / "docker"), "MACHINE_STORAGE_PATH": str(work / "plugged"), "PATH": ""}
    plugin = docker_plugin_install(Quiet(), MACHINECTL, environment)
    command = ["/usr/bin/env", *(f"{name}={value}" for name, value in environment.items() if value)]
    cost, base = median([measured([plugin, "docker-cli-plugin-metadata"]) for _ in range(RUNS)]), shell()
    yield row("docker's question what the plugin is, wall", cost.wall, "sh -c :", base.wall, "2 x")
    many = Store(environment["MACHINE_STORAGE_PATH"])
    for number in range(1000):
        added(many, Machine(f"m{number}", "none", url=f"tcp://192.0.2.1:{number}", tls=False))
    cost = median([measured([*command, plugin, "__complete", "machine", "env", "m99"]) for _ in range(RUNS)])
    yield row("Tab in docker machine env, of 1,000, wall", cost.wall, "promised", PROMISE, "1 x")


def shell() -> Cost:
    return median([measured(["/bin/sh", "-c", ":"]) for _ in range(RUNS)])
