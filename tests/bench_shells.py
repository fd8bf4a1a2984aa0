"""How long bash takes for what a person waits for at a prompt: `machinectl use`, the prompt, a Tab.

Bash itself tells the time, in one process of its own, as it is where somebody types: nothing is started for it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from machinectl.cli.parsing.shell_snippets import start_up_code
from machinectl.machines.record import Machine
from machinectl.machines.store import Store
from tests.support.measure import MACHINECTL
from tests.support.registered import added

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

RUNS = 200
# The median of RUNS in microseconds, which bash has since 5.0 (EPOCHREALTIME).
TIMED = """
PS1='$ '
timed() {
    local times=() before at
    for ((at = 0; at < RUNS; at++)); do
        before=${EPOCHREALTIME/[.,]/}
        "$@" >/dev/null
        times+=($((${EPOCHREALTIME/[.,]/} - before)))
    done
    times=($(printf '%s\n' "${times[@]}" | sort -n))
    printf '%s\n' "${times[RUNS / 2]}"
}
nothing() { x=$(:); }
prompt() { __machinectl_in_ps1; }
tab() { COMP_WORDS=(machinectl use "$1") COMP_CWORD=2; _machinectl; }
"""


def shells(work: Path) -> Iterator[Sequence[str]]:
    """The rows of bash; a subshell that does nothing is what a prompt with one command in it costs."""
    store = Store(str(work / "of-shells"))
    for number in range(1000):
        machine = Machine(f"m{number}", "generic", url="tcp://192.0.2.29:2376", tls=True)
        # As large as that of a host that was set up.
        machine.unknown = {"more": [{"path": "/etc/docker/daemon.json", "before": "x" * 1000}] * 20}
        added(store, machine)
    for what, line, promise in (
        ("machinectl use NAME, bash", "machinectl use m500", "2 ms"),
        ("machinectl use -, bash", "machinectl use - 2>/dev/null", "2 ms"),
        ("the prompt of --prompt, bash", "prompt", "2 ms"),
        ("$(machinectl_prompt), bash", "eval 'x=$(machinectl_prompt)'", "2 ms"),
        ("Tab after m99 among 1,000 machines, bash", "tab m99", "20 ms"),
        ("Tab after nothing among 1,000 machines, bash", "tab ''", "20 ms"),
    ):
        took, base = timed(store, line), timed(store, "nothing")
        yield [what, f"{took:.2f} ms", f"a subshell: {base:.2f} ms", f"{took / base:.2f}", promise]


def timed(store: Store, line: str) -> float:
    """The median of what a command line takes, in milliseconds."""
    snippet = start_up_code("bash", MACHINECTL, prompt=True)
    script = f"{snippet}\nRUNS={RUNS}\n{TIMED}\nmachinectl use m1; machinectl use m2\ntimed {line}\n"
    process = subprocess.run(
        ["bash", "--norc", "-c", script],
        env={**os.environ, "MACHINE_STORAGE_PATH": store.root},
        capture_output=True,
        text=True,
        check=False,
    )
    if not process.stdout.strip().isdigit():
        sys.exit(f"{line}: {process.stderr}")
    return int(process.stdout) / 1000
