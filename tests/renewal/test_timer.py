"""The timer of `renew`: installed, looked at by doctor, and removed; see test_renew_lab.py for a real systemd."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from machinectl.check import Verdict
from machinectl.renewal.doctor_checks import checks
from machinectl.renewal.timer import timer_words
from tests.support.in_process import machinectl

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.machines.store import Store


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: Store) -> Path:
    """A home whose systemctl keeps its words, says what its file `said` holds, and fails if there is `fails`."""
    home = tmp_path / "home"
    for name in ("bin", ".config"):
        (home / name).mkdir(parents=True)
    for name in ("systemctl", "loginctl"):
        program = home / "bin" / name
        program.write_text(
            f'#!/bin/sh\necho "{name} $*" >> {home}/log\ncat {home}/said\n'
            f"if [ -e {home}/fails ]; then echo no bus >&2; exit 1; fi\n"
        )
        program.chmod(0o755)
    (home / "said").write_text("")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("XDG_DATA_HOME", os.path.dirname(store.root))
    return home


FAILED = "UnitFileState=enabled\nActiveState=active\nResult=exit-code\nExecMainStatus={}\n"


def units(home: Path) -> list[Path]:
    return sorted((home / ".config/systemd/user").glob("machinectl-renew*"))


def test_it_is_installed_and_removed(store: Store, home: Path) -> None:
    done = machinectl("renew", "--install-timer", "--lifetime-left", "30d", store=store.root)
    assert done.returncode == 0, done.stderr
    service, timer = units(home)
    assert done.stdout == f"{timer}\n"
    assert f"--storage-path {store.root} renew --due --lifetime-left" in service.read_text()
    assert "It runs only while you are logged in" in done.stderr
    assert f"systemctl --user enable --now {timer.name}\n" in (home / "log").read_text()
    again = machinectl("renew", "--install-timer", store=store.root)
    assert again.returncode == 0
    assert "30d" not in service.read_text()
    removed = machinectl("renew", "--uninstall-timer", store=store.root)
    assert (removed.returncode, removed.stdout) == (0, f"{timer}\n")
    assert units(home) == []
    assert f"systemctl --user disable --now {timer.name}\n" in (home / "log").read_text()
    none = machinectl("renew", "--uninstall-timer", store=store.root)
    assert (none.returncode, none.stdout) == (0, "")
    assert "There is no timer" in none.stderr


@pytest.mark.parametrize("platform", ["linux", "darwin"])
@pytest.mark.parametrize("path", ["a\nExecStart=/bin/evil", "\x1b[31m", "a\udcff"])
def test_a_path_that_could_end_its_line_is_refused_before_anything_is_written(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, platform: str, path: str
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    failed = machinectl("renew", "--install-timer", store=str(tmp_path / path))
    assert failed.returncode == 1
    assert "it holds a character that cannot be printed" in failed.stderr
    assert not (home / "log").exists()
    assert units(home) == []


def test_its_directories_are_private_whatever_the_umask_is(store: Store, home: Path) -> None:
    before = os.umask(0)
    try:
        assert machinectl("renew", "--install-timer", store=store.root).returncode == 0
    finally:
        os.umask(before)
    for directory in (".config/systemd", ".config/systemd/user"):
        assert (home / directory).stat().st_mode & 0o777 == 0o700


def test_a_directory_that_others_can_change_gets_no_timer(store: Store, home: Path) -> None:
    (home / ".config/systemd/user").mkdir(parents=True)
    (home / ".config/systemd").chmod(0o777)
    failed = machinectl("renew", "--install-timer", store=store.root)
    assert failed.returncode == 1
    assert f"Error: {home}/.config/systemd is not safe for a timer: everybody may write to it\n" in failed.stderr
    assert f"chmod go-w {home}/.config/systemd" in failed.stderr
    assert units(home) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_root_with_another_users_home_installs_no_timer_there(store: Store, home: Path) -> None:
    """As after `sudo -E`."""
    os.chown(home / ".config", 65534, 65534)
    failed = machinectl("renew", "--install-timer", store=store.root)
    assert f"Error: {home}/.config is not safe for a timer: it is another user's\n" in failed.stderr
    assert units(home) == []


def test_who_lingers_is_not_told_of_it(store: Store, home: Path) -> None:
    (home / "said").write_text("Linger=yes\n")
    assert "logged in" not in machinectl("renew", "--install-timer", store=store.root).stderr


def test_without_a_systemd_nothing_is_written_and_the_line_for_cron_is_shown(
    store: Store, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "fails").touch()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home))
    monkeypatch.setenv("DOCKER_CONFIG", "/srv/100%")
    failed = machinectl("renew", "--install-timer", "--lifetime-left", "30d", store=store.root)
    assert failed.returncode == 1
    assert "systemd does not answer for this user (no bus)" in failed.stderr
    cron = re.escape(f"--storage-path {store.root} renew --due --lifetime-left=30d\n")
    assert re.search(rf"\(crontab -e\): 17 3 \* \* \* DOCKER_CONFIG=/srv/100\\% /\S.* {cron}", failed.stderr)
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    failed = machinectl("renew", "--install-timer", store=store.root)
    assert "systemd does not answer for this user ($XDG_RUNTIME_DIR is not set)" in failed.stderr
    assert units(home) == []


def test_it_is_one_thing_at_a_time(store: Store) -> None:
    for words in (
        ("--install-timer", "--due"),
        ("--install-timer", "--uninstall-timer"),
        ("--install-timer", "--dry-run"),
    ):
        assert machinectl("renew", *words, store=store.root).returncode == 2


def test_its_words_are_those_given_with_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    typed = ["-s", "x", "renew", "--install-timer", "--sudo-password-file", "pw", "-l", "role=web", "--yes"]
    assert timer_words(typed) == ["--sudo-password-file", str(tmp_path / "pw"), "-l", "role=web"]
    assert timer_words(["renew", "--sudo-password-file=pw", "web1"]) == [
        f"--sudo-password-file={tmp_path / 'pw'}",
        "web1",
    ]


def test_doctor_looks_at_it(store: Store, home: Path) -> None:
    def found() -> tuple[Verdict, str, str]:
        [check] = checks(store)
        return check.verdict, check.seen, check.hint

    assert list(checks(store)) == []
    machinectl("renew", "--install-timer", store=store.root)
    service, timer = units(home)
    assert found() == (
        Verdict.BROKEN,
        f"{timer} is installed, but not enabled",
        "Install it again: machinectl renew --install-timer",
    )
    (home / "said").write_text("UnitFileState=enabled\nActiveState=active\nResult=success\n")
    assert found() == (Verdict.OK, f"{timer} renews certificates daily", "")
    (home / "said").write_text(FAILED.format(3))
    verdict, seen, hint = found()
    assert (verdict, seen) == (Verdict.BROKEN, "the last run failed (exit-code, exit status 3)")
    assert hint.endswith(f"systemctl --user start {service.name}")
    service.write_text(service.read_text().replace("ExecStart=", "ExecStart=/gone"))
    assert found()[1].startswith("its program is missing: /gone")
    service.unlink()
    assert found()[1] == f"{service} is missing"
    (home / "fails").touch()
    assert found()[0] is Verdict.UNKNOWN
