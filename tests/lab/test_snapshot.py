"""What a snapshot of a host holds, without a host."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from tests.lab.snapshot import running_units

if TYPE_CHECKING:
    from pathlib import Path


def test_a_service_runs_while_a_program_that_it_started_ends(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as ended:
        pass
    unit = tmp_path / "system.slice/docker.service"
    unit.mkdir(parents=True)
    (unit / "cgroup.procs").write_text(f"{ended.pid}\n{os.getpid()}\n")
    state, pid, _ = running_units(tmp_path)["unit docker.service"]
    assert (state, pid) == ("running", str(os.getpid()))


def test_a_service_that_has_ended_is_not_there(tmp_path: Path) -> None:
    unit = tmp_path / "system.slice/docker.service"
    unit.mkdir(parents=True)
    (unit / "cgroup.procs").write_text("")
    assert running_units(tmp_path) == {}
