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
from machinectl.renewal.daily_job import DailyJob, job_name, own_program
from machinectl.renewal.systemd import Systemd, systemd_word
from tests.support.real import need

NAME = "machinectl-renew"
# Parts of paths: each is special to systemd or to a shell.
STRANGE = ["a b", "100%h", "; x", "#x", "@-+!:x", "a=b", "ü日本"]


def units(directory: Path, *command: str, **environment: str) -> list[str]:
    os.environ["XDG_CONFIG_HOME"] = str(directory)
    files = Systemd().files(DailyJob(NAME, command, environment))
    for path, content in files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(content)
    return list(files)


def verified(directory: Path, *paths: str) -> tuple[int, str, str]:
    done = subprocess.run(
        ["systemd-analyze", "--user", "verify", *paths],
        env=os.environ | {"XDG_RUNTIME_DIR": str(directory)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(autouse=True)
def _own_config(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "")


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    need("systemd-analyze")
    paths = units(tmp_path, "/bin/true", "-s", "/tmp/a b/$HOME 100% \\x \"é'", "renew", DOCKER_CONFIG="/tmp/a $b %c")
    assert verified(tmp_path, *paths) == (0, "", "")


def test_the_timer_is_daily_with_a_delay_and_makes_up_for_a_missed_run(tmp_path: Path) -> None:
    service, timer = (Path(path).read_text() for path in units(tmp_path, "/bin/machinectl", "renew", "--due"))
    assert "\nType=oneshot\nExecStart=/bin/machinectl renew --due\n" in service
    for line in ("OnCalendar=daily", "RandomizedDelaySec=12h", "Persistent=true", "WantedBy=timers.target"):
        assert f"\n{line}\n" in timer


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]) | st.just(" "), min_size=1))
def test_words_are_quoted_as_systemd_reads_them(word: str) -> None:
    read = shlex.split(systemd_word(word))
    assert [each.replace("$$", "$").replace("%%", "%") for each in read] == [word]


@pytest.mark.parametrize("directory", STRANGE)
def test_any_path_of_the_program_is_started_and_read_again(tmp_path: Path, directory: str) -> None:
    """Read ExecStart as systemd does: it expands no variable in a path, and `$$` in other words."""
    need("systemd-analyze")
    program = tmp_path / directory / "machinectl"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nprintf "%s|" "$0" "$@"\n')
    program.chmod(0o755)
    service, _ = units(tmp_path, str(program), "renew", directory)
    assert verified(tmp_path, service) == (0, "", "")
    assert Systemd().program(NAME) == str(program)
    [line] = [line for line in Path(service).read_text().splitlines() if line.startswith("ExecStart=")]
    path, *words = [word.replace("%%", "%") for word in shlex.split(line.removeprefix("ExecStart="))]
    assert "$" not in path
    ran = subprocess.run(
        [path, *(word.replace("$$", "$") for word in words)], capture_output=True, text=True, check=True
    )
    assert ran.stdout == f"{program}|renew|{directory}|"


@pytest.mark.parametrize("directory", ["$HOME ${X} $$", """it's "own\"""", "a\\nb\\"])
def test_a_path_that_systemd_cannot_start_is_refused(tmp_path: Path, directory: str) -> None:
    with pytest.raises(MachineError, match="systemd cannot start"):
        units(tmp_path, f"/opt/{directory}/machinectl", "renew")


def test_the_program_is_read_from_the_unit(tmp_path: Path) -> None:
    units(tmp_path, "/bin/machinectl", "renew")
    assert Systemd().program(NAME) == "/bin/machinectl"
    assert Systemd().program("other") == ""


def test_a_relative_directory_for_configuration_is_ignored_as_by_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "config")
    assert Systemd().directory == os.path.expanduser("~/.config/systemd/user")


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
