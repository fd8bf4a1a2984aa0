"""What a fleet's file costs that describes many hosts."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from machinectl.fleet.reading.fleet_file import read_fleet
from machinectl.host_changes import FileCreated
from machinectl.machines.record import Machine
from machinectl.machines.store import Store
from machinectl.machines.store.store_paths import now
from tests.support.measure import MACHINECTL, measured, median, row
from tests.support.registered import added

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HOSTS, FINISHED = 1000, 100
# As many as a store and a file are made for, and how often each command is measured there.
MOST, FEW = 10_000, 3
PYTHON = [sys.executable, "-c", "pass"]
RUNS = 10
BEGINNING = """
defaults: {driver: generic, generic-ssh-user: ops}
groups:
  web: {labels: {role: web}, engine-opt: [log-driver=local]}
hosts:
"""


def fleets(work: Path) -> Iterator[Sequence[str]]:
    yield from plans(work)
    yield from finished(work)
    yield from large(work)


def plans(work: Path) -> Iterator[Sequence[str]]:
    """`plan` of a fleet with all of its machines: where nothing is to be done, and where all are to be changed."""
    file, store = described(work, HOSTS)
    command = [*MACHINECTL, "-s", store.root, "plan", "-f", str(file)]
    for what in ("as they are", "all to change"):
        took, base = in_turn(command)
        yield row(f"plan of {HOSTS:,} hosts, {what}, wall", took, "machinectl ls --help", base, "1 s")
        file.write_text(file.read_text().replace("log-driver=local", "log-driver=json-file"))


def finished(work: Path) -> Iterator[Sequence[str]]:
    """`apply` where nothing is to be done: no host is asked, so that there need be none."""
    for count in (FINISHED, HOSTS):
        file, store = described(work, count)
        took, base = in_turn([*MACHINECTL, "-s", store.root, "apply", "-f", str(file)])
        yield row(f"apply to {count:,} finished hosts, by their records", took, "machinectl ls --help", base, "-")


def large(work: Path) -> Iterator[Sequence[str]]:
    """What is looked up in a store of 10,000 machines, in CPU time against a Python that does nothing."""
    file, store = described(work, MOST)
    for words, promise in (
        (["plan", "-f", str(file), "m17"], "40 x"),
        (["plan", "-f", str(file)], "100 x"),
        (["ls", "-q", "-l", "role=web"], "80 x"),
    ):
        pairs = [(measured([*MACHINECTL, "-s", store.root, *words]), measured(PYTHON)) for _ in range(FEW)]
        cost, base = (median(list(costs)) for costs in zip(*pairs, strict=True))
        what = " ".join(word for word in words if word not in {"-f", str(file)})
        yield row(f"{what}, of {MOST:,} machines, CPU", cost.cpu, "python -c pass", base.cpu, promise)


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
