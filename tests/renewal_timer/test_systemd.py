"""The units for systemd: their words reach the program as they are, and systemd-analyze has no complaint."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl.errors import MachineError
from machinectl.renewal_timer.daily_job import DailyJob, job_name, own_program
from machinectl.renewal_timer.systemd import Systemd, systemd_word
from tests.support.real import need

NAME = "machinectl-renew"


def units(directory: Path, *command: str, **environment: str) -> list[str]:
    os.environ["XDG_CONFIG_HOME"] = str(directory)
    files = Systemd().files(DailyJob(NAME, command, environment))
    for path, content in files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(content)
    return list(files)


@pytest.fixture(autouse=True)
def _own_config(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "")


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    need("systemd-analyze")
    paths = units(tmp_path, "/bin/true", "-s", "/tmp/a b/$HOME 100% \\x \"é'", "renew", DOCKER_CONFIG="/tmp/a $b %c")
    done = subprocess.run(
        ["systemd-analyze", "--user", "verify", *paths],
        env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_timer_is_daily_with_a_delay_and_makes_up_for_a_missed_run(tmp_path: Path) -> None:
    service, timer = (Path(path).read_text() for path in units(tmp_path, "/bin/machinectl", "renew", "--due"))
    assert "\nType=oneshot\nExecStart=/bin/machinectl renew --due\n" in service
    for line in ("OnCalendar=daily", "RandomizedDelaySec=12h", "Persistent=true", "WantedBy=timers.target"):
        assert f"\n{line}\n" in timer


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]) | st.just(" "), min_size=1))
def test_words_are_quoted_as_systemd_reads_them(word: str) -> None:
    read = shlex.split(systemd_word(word))
    assert [each.replace("$$", "$").replace("%%", "%") for each in read] == [word]


@pytest.mark.parametrize("word", ["a\nb", "\x1b[31m", "a\x00"])
def test_control_characters_are_refused(word: str) -> None:
    with pytest.raises(MachineError, match="control character"):
        systemd_word(word)


def test_the_program_is_read_from_the_unit(tmp_path: Path) -> None:
    program = '/srv/100% "own"/machinectl'
    units(tmp_path, program, "renew")
    assert Systemd().program(NAME) == program
    assert Systemd().program("other") == ""


def test_each_store_has_a_name_of_its_own() -> None:
    assert job_name("/home/a/.local/share/machinectl", "/home/a/.local/share/machinectl") == NAME
    other = job_name("/srv/store", "/home/a/.local/share/machinectl")
    assert other.startswith(f"{NAME}-")
    assert other != job_name("/srv/store2", "/home/a/.local/share/machinectl")


def test_the_program_is_named_by_an_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "machinectl"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    assert own_program("machinectl") == [str(script)]
    assert own_program("/nowhere/machinectl/__main__.py")[-2:] == ["-m", "machinectl"]
