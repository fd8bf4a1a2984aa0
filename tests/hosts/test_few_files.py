"""Many machines at once with macOS's limit of open files, 256."""

from __future__ import annotations

import resource
import subprocess
from typing import TYPE_CHECKING

from tests.support import servers
from tests.support.program import decoded, started

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.machines.store import Store

MANY = 300


def with_few_files(store: Store, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    pipe = subprocess.PIPE
    limits = {resource.RLIMIT_NOFILE: 256}
    with started(
        *arguments, store=store.root, limits=limits, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe
    ) as process:
        said = map(decoded, process.communicate())
    return subprocess.CompletedProcess(arguments, process.returncode, *said)


def test_hundreds_are_made_and_asked_at_once(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "fleet.yaml"
    with servers.serving(servers.engine, host="0.0.0.0") as port:
        hosts = "".join(
            f'  host{number}: {{url: "tcp://127.0.{number // 250}.{number % 250 + 1}:{port}"}}\n'
            for number in range(MANY)
        )
        file.write_text(f"defaults: {{driver: none, no-tls: true}}\nhosts:\n{hosts}")
        applied = with_few_files(store, "apply", "-f", file, "--parallel", str(MANY))
        assert (applied.returncode, applied.stdout) == (0, f"Apply: {MANY} created\n"), applied.stderr
        # A busy computer may need more than the usual ten seconds.
        listed = with_few_files(store, "ls", "-t", "60", "--format", "{{.State}} {{.Error}}")
    assert (listed.returncode, set(listed.stdout.splitlines())) == (0, {"Running "})
