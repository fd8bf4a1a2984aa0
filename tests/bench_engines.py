"""What `ls` and `ps` cost of thousands of engines, all simulated."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from machinectl.machines.record import Machine
from machinectl.machines.store import Store
from machinectl.state import State
from tests.support.many_engines import many_engines
from tests.support.measure import MACHINECTL, Cost, measured, median, peak_memory, row
from tests.support.registered import added

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.support.many_engines import Simulated

COUNTS = (1000, 10_000)
# Of so many, and of less, more than one run is measured.
MANY = 1000
RUNS = 3
PROMISES = {("ls", MANY): {"wall": "4 s", "memory": "200 MB"}, ("ls", 10_000): {"memory": "300 MB"}}
FILES = ("ca.pem", "cert.pem", "key.pem")
# Processes that keep the computer busy while engines are asked.
LOOPS = 8
LOOP = [sys.executable, "-c", "while True: pass"]


def fleets(work: Path) -> Iterator[Sequence[str]]:
    """`ls` and `ps` of more and more machines, each row against the one before: cost grows as their number does."""
    with many_engines(work / "engines", max(COUNTS)) as engines:
        before: dict[str, Cost] = {}
        for smaller, count in zip((0, *COUNTS), COUNTS, strict=False):
            store = registered(work / f"of{count}", engines[:count])
            for verb in ("ls", "ps"):
                command = [*MACHINECTL, "-s", store.root, verb]
                cost = median([measured(command) for _ in range(RUNS if count <= MANY else 1)])
                what, promises = f"{verb} of {count:,} engines", PROMISES.get((verb, count), {})
                for kind, took, base in zip(cost._fields, cost, before.get(verb, cost), strict=True):
                    growth = f"{count // smaller} x" if smaller else "-"
                    promise = promises.get(kind, growth)
                    yield row(f"{what}, {kind}", took, f"of {smaller or count:,}", base, promise)
                memory = f"{peak_memory(command):.0f} MiB"
                yield [f"{what}, peak memory", memory, "-", "-", promises.get("memory", "-")]
                before[verb] = cost
            if count == MANY:
                yield from beside_others(store)


def beside_others(store: Store) -> Iterator[Sequence[str]]:
    """How many healthy engines are called anything else while other programs want the processors."""
    loops = [subprocess.Popen(LOOP) for _ in range(LOOPS)]
    try:
        done = subprocess.run([*MACHINECTL, "-s", store.root, "ls", "--json"], capture_output=True, check=True)
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
    wrong = [row["Name"] for row in json.loads(done.stdout) if row["State"] != State.RUNNING]
    said = len(done.stderr.splitlines())
    what = f"ls of {MANY:,} engines beside {LOOPS} busy loops: not Running"
    yield [what, f"{len(wrong)}, {said} lines on stderr", "-", "-", "0, 0"]


def registered(root: Path, engines: Sequence[Simulated]) -> Store:
    store = Store(str(root))
    for number, engine in enumerate(engines):
        machine = Machine(f"m{number}", "none", url=engine.url, tls=True)
        machine.driver_state = json.dumps({"URL": engine.url})
        added(store, machine, {name: (engine.directory / name).read_bytes() for name in FILES})
    return store
