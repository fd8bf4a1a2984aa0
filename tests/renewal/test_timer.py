"""The timer of `renew` on stand-ins of systemctl and launchctl; see test_timer_lab.py for a real systemd."""

from __future__ import annotations

import os
import plistlib
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl.check import Verdict
from machinectl.errors import MachineError
from machinectl.renewal.timer import Launchd, Systemd, checks, own_program, scheduler, systemd_word, timer_words
from tests.support.in_process import machinectl
from tests.support.real import need

if TYPE_CHECKING:
    from machinectl.machines.store import Store


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: Store) -> Path:
    """A home whose schedulers keep their words, say what the file `said` holds, and fail if there is `fails`."""
    home = tmp_path / "home"
    for name in ("bin", ".config"):
        (home / name).mkdir(parents=True)
    for name in ("systemctl", "launchctl"):
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
    assert "To let it run while you are logged out, too" in done.stderr
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


@pytest.mark.parametrize("path", ["a\nExecStart=/bin/evil", "\x1b[31m", "a\udcff"])
def test_a_path_that_could_end_its_line_is_refused_before_anything_is_written(
    tmp_path: Path, home: Path, path: str
) -> None:
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


def test_without_a_session_nothing_is_written(store: Store, home: Path) -> None:
    (home / "fails").touch()
    failed = machinectl("renew", "--install-timer", store=store.root)
    assert failed.returncode == 1
    assert "systemctl does not reach this user's session: no bus" in failed.stderr
    assert "or let cron run it daily: machinectl renew --due" in failed.stderr
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
    def seen() -> tuple[Verdict, str]:
        [check] = checks(store)
        return check.verdict, check.seen

    assert list(checks(store)) == []
    machinectl("renew", "--install-timer", store=store.root)
    service, timer = units(home)
    assert seen() == (Verdict.BROKEN, f"{timer} is installed, but not enabled")
    (home / "said").write_text("UnitFileState=enabled\nActiveState=active\nResult=success\n")
    assert seen() == (Verdict.OK, f"{timer} renews certificates daily")
    (home / "said").write_text(FAILED.format(3))
    assert seen() == (Verdict.BROKEN, "the last run failed (exit-code, exit status 3)")
    assert next(checks(store)).hint.endswith(f"systemctl --user start {service.name}")
    (home / "fails").touch()
    assert seen()[0] is Verdict.UNKNOWN


@pytest.mark.usefixtures("home")
def test_each_store_has_a_timer_of_its_own(tmp_path: Path, store: Store) -> None:
    usual, other = type(store)(), type(store)(str(tmp_path / "other"))
    assert os.path.basename(scheduler(usual).paths[-1]) == "machinectl-renew.timer"
    assert len({scheduler(each).paths[-1] for each in (usual, other, store)}) == 3


def test_the_program_is_named_by_an_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "machinectl"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    assert own_program("machinectl") == [str(script)]
    assert own_program("/nowhere/machinectl/__main__.py")[-2:] == ["-m", "machinectl"]


def test_an_agent_of_launchd_is_loaded_looked_at_and_unloaded(
    store: Store, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setenv("DOCKER_CONFIG", "/Users/a b/.docker")
    assert machinectl("renew", "--install-timer", store=store.root).returncode == 0
    timer = scheduler(store)
    assert isinstance(timer, Launchd)
    [path], domain = timer.paths, f"gui/{os.getuid()}"
    assert path.startswith(f"{home}/Library/LaunchAgents/org.machinectl.renew-")
    content = plistlib.loads(Path(path).read_bytes())
    assert content["ProgramArguments"][-4:] == ["--storage-path", store.root, "renew", "--due"]
    assert content["EnvironmentVariables"] == {"DOCKER_CONFIG": "/Users/a b/.docker"}
    assert content["RunAtLoad"]
    assert sorted(content["StartCalendarInterval"]) == ["Hour", "Minute"]
    (home / "said").write_text("\tstate = not running\n\tlast exit code = 1\n")
    [failed] = checks(store)
    assert failed.seen == "the last run failed (exit status 1)"
    assert "launchctl kickstart" in failed.hint
    (home / "said").write_text("\tlast exit code = 0\n")
    assert [check.verdict for check in checks(store)] == [Verdict.OK]
    assert machinectl("renew", "--uninstall-timer", store=store.root).stdout == f"{path}\n"
    assert not os.path.exists(path)
    label = timer.service
    words = ["print " + domain, f"bootout {label}", f"bootstrap {domain} {path}", *[f"print {label}"] * 2]
    assert (home / "log").read_text().splitlines() == [f"launchctl {line}" for line in (*words, f"bootout {label}")]


def written(directory: Path, *command: str, **environment: str) -> list[str]:
    timer = Systemd("machinectl-renew")
    paths = [str(directory / os.path.basename(path)) for path in timer.paths]
    for path, content in zip(paths, timer.files(command, environment), strict=True):
        Path(path).write_bytes(content)
    return paths


def verified(directory: Path, *paths: str) -> tuple[int, str, str]:
    need("systemd-analyze")
    done = subprocess.run(
        ["systemd-analyze", "--user", "verify", *paths],
        env=os.environ | {"XDG_RUNTIME_DIR": str(directory)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_systemd_accepts_the_units_and_makes_up_for_a_missed_run(tmp_path: Path) -> None:
    words = ("/bin/true", "-s", "/tmp/a b/$HOME 100% \\x \"é'", "renew")
    paths = written(tmp_path, *words, DOCKER_CONFIG="/tmp/a $b %c")
    assert verified(tmp_path, *paths) == (0, "", "")
    assert "Persistent=true" in Path(paths[1]).read_text()


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]) | st.just(" "), min_size=1))
def test_words_are_quoted_as_systemd_reads_them(word: str) -> None:
    read = shlex.split(systemd_word(word))
    assert [each.replace("$$", "$").replace("%%", "%") for each in read] == [word]


@pytest.mark.parametrize("directory", ["a b", "100%h", "; x", "#x", "@-+!:x", "a=b", "ü日本"])
def test_any_path_of_the_program_is_started(tmp_path: Path, directory: str) -> None:
    """Each path is special to systemd or to a shell."""
    program = tmp_path / directory / "machinectl"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    service, _ = written(tmp_path, str(program), "renew", directory)
    # systemd finds no program at a path that it reads otherwise.
    assert verified(tmp_path, service) == (0, "", "")


@pytest.mark.parametrize("directory", ["$HOME ${X} $$", """it's "own\"""", "a\\nb\\"])
def test_a_path_that_systemd_cannot_start_is_refused(tmp_path: Path, directory: str) -> None:
    with pytest.raises(MachineError, match="systemd cannot start"):
        written(tmp_path, f"/opt/{directory}/machinectl", "renew")
