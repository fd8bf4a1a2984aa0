"""What one run of a command costs, and how that is shown in the table of `make bench`."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

MACHINECTL = [os.path.join(os.path.dirname(sys.executable), "machinectl")]
STARTER = """
import os, sys
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)])
_, status, usage = os.wait4(pid, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


class Cost(NamedTuple):
    """What one run of a command took, in seconds of wall time and of CPU."""

    wall: float
    cpu: float


def measured(command: Sequence[str]) -> Cost:
    """Run a command to its end, as the kernel accounts for it. One that fails ends the benchmark."""
    with tempfile.TemporaryFile() as errors:
        started = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            said = errors.read().decode(errors="replace")
            sys.exit(f"{' '.join(command)} exits {process.returncode}: {said}")
    return Cost(wall, usage.ru_utime + usage.ru_stime)


def peak_memory(command: Sequence[str]) -> float:
    """The most memory that a command has in use, in MiB.

    The kernel counts the memory of who starts a process as that process's own: a process as small as can be starts it.
    """
    report = subprocess.run([sys.executable, "-I", "-S", "-c", STARTER, *command], capture_output=True, check=True)
    return int(report.stdout) / 1024


def median(costs: Sequence[Cost]) -> Cost:
    walls, cpus = zip(*costs, strict=True)
    return Cost(statistics.median(walls), statistics.median(cpus))


def row(what: str, value: float, baseline: str, base: float, promise: str, unit: str = "s") -> Sequence[str]:
    return [what, f"{value:.3f} {unit}", f"{baseline}: {base:.3f} {unit}", f"{value / base:.2f}", promise]
