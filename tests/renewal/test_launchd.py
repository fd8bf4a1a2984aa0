"""The agent for launchd: the keys of launchd.plist(5), and launchctl's words."""

from __future__ import annotations

import os
import plistlib
from typing import TYPE_CHECKING

import pytest

from machinectl.errors import NO_HINT, MachineError
from machinectl.renewal.daily_job import DailyJob
from machinectl.renewal.launchd import Launchd, daily_time, domain

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = ("/opt/home brew/bin/machinectl", "--storage-path", "/Users/a b/$x%h", "renew", "--due")
LABEL = "org.machinectl.renew"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home, and a launchctl that keeps its words and ends as its file `code` says."""
    monkeypatch.setenv("HOME", str(tmp_path))
    program = tmp_path / "launchctl"
    program.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/log\ncat {tmp_path}/said\nexit $(cat {tmp_path}/code)\n')
    program.chmod(0o755)
    (tmp_path / "code").write_text("0")
    (tmp_path / "said").write_text("")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def installed(home: Path) -> None:
    for path, content in Launchd().files(DailyJob("machinectl-renew", COMMAND, {})).items():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
    assert (home / "Library/LaunchAgents" / f"{LABEL}.plist").exists()


def test_the_agent_runs_the_command_daily_and_at_login(home: Path) -> None:
    job = DailyJob("machinectl-renew", COMMAND, {"DOCKER_CONFIG": "/Users/a b/.docker"})
    [(path, content)] = Launchd().files(job).items()
    assert path == f"{home}/Library/LaunchAgents/{LABEL}.plist"
    log = f"{home}/Library/Logs/machinectl-renew.log"
    assert plistlib.loads(content) == {
        "Label": LABEL,
        "ProgramArguments": list(COMMAND),
        "EnvironmentVariables": {"DOCKER_CONFIG": "/Users/a b/.docker"},
        "StartCalendarInterval": daily_time("machinectl-renew"),
        "RunAtLoad": True,
        "ProcessType": "Background",
        "StandardOutPath": log,
        "StandardErrorPath": log,
    }


def test_its_time_is_one_of_the_day_and_stays(home: Path) -> None:
    del home
    time = daily_time("machinectl-renew")
    assert time == daily_time("machinectl-renew")
    assert 0 <= time["Hour"] < 24
    assert 0 <= time["Minute"] < 60


def test_it_is_loaded_and_unloaded(home: Path) -> None:
    installed(home)
    timer = Launchd()
    timer.check()
    assert timer.enable("machinectl-renew") == NO_HINT
    timer.disable("machinectl-renew")
    service, path = f"{domain()}/{LABEL}", f"{home}/Library/LaunchAgents/{LABEL}.plist"
    assert (home / "log").read_text().splitlines() == [
        f"print {domain()}",
        f"bootout {service}",
        f"bootstrap {domain()} {path}",
        f"bootout {service}",
    ]
    (home / "code").write_text("5")
    with pytest.raises(MachineError, match="bootstrap failed"):
        timer.enable("machinectl-renew")
    with pytest.raises(MachineError, match="no session"):
        timer.check()


def test_its_state_names_a_failed_run_and_the_program(home: Path) -> None:
    installed(home)
    (home / "said").write_text("\tstate = not running\n\tlast exit code = 1\n")
    state = Launchd().state("machinectl-renew")
    assert (state.program, state.enabled, state.failed) == (COMMAND[0], True, "exit status 1")
    assert "launchctl kickstart" in state.hint
    (home / "said").write_text("\tlast exit code = 0\n")
    assert Launchd().state("machinectl-renew").failed == ""
    (home / "code").write_text("113")
    assert not Launchd().state("machinectl-renew").enabled
