"""What a fleet's file costs that describes many hosts."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from machinectl.fleet.fleet_file import read_fleet
from machinectl.machines.record import Machine
from machinectl.machines.store import Store
from machinectl.machines.store.store_paths import now
from machinectl.provision.host_changes import FileCreated
from tests.support.measure import MACHINECTL, measured, median, row
from tests.support.registered import added

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HOSTS = 1000
RUNS = 10
BEGINNING = """
defaults: {driver: generic, generic-ssh-user: ops}
groups:
  web: {labels: {role: web}, engine-opt: [log-driver=local]}
hosts:
"""


def fleets(work: Path) -> Iterator[Sequence[str]]:
    """`plan` of a fleet with all of its machines: where nothing is to be done, and where all are to be changed."""
    file, store = described(work, HOSTS)
    command = [*MACHINECTL, "-s", store.root, "plan", "-f", str(file)]
    for what in ("as they are", "all to change"):
        took, base = in_turn(command)
        yield row(f"plan of {HOSTS:,} hosts, {what}, wall", took, "machinectl ls --help", base, "1 s")
        file.write_text(file.read_text().replace("log-driver=local", "log-driver=json-file"))


def in_turn(command: Sequence[str]) -> tuple[float, float]:
    """The medians of a command and of one that does nothing, in seconds of wall time."""
    pairs = [(measured(command), measured([*MACHINECTL, "ls", "--help"])) for _ in range(RUNS)]
    took, base = (median(list(costs)).wall for costs in zip(*pairs, strict=True))
    return took, base


def described(work: Path, count: int) -> tuple[Path, Store]:
    """A file of so many hosts, and a store with all of its machines."""
    directory = Path(tempfile.mkdtemp(dir=work))
    file, store = directory / "fleet.yaml", Store(str(directory / "store"))
    hosts = (
        f"  m{number}: {{generic-ip-address: 10.0.{number // 250}.{number % 250 + 1}, groups: [web]}}\n"
        for number in range(count)
    )
    file.write_text(BEGINNING + "".join(hosts))
    make(store, file)
    return file, store


def make(store: Store, file: Path) -> None:
    """Machines as they are once a file is carried out."""
    fleet = read_fleet(str(file), (), os.environ)
    for host in fleet.hosts:
        url = f"tcp://{host.spec.options['generic-ip-address']}:2376"
        machine = Machine(host.name, host.spec.driver, url=url, tls=True)
        machine.spec, machine.fleet = host.spec, fleet.id.text
        machine.looked_at = now()
        machine.changes = [FileCreated(f"/etc/docker/{number}") for number in range(12)]
        added(store, machine)
