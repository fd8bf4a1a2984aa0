"""How long a host waits for its engine to come up, by the script that restarts it there."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from machinectl.provision.scripts import resource

if TYPE_CHECKING:
    from pathlib import Path

# In place of a host: an engine that listens, answers and ends after so many looks, a tenth of a second each.
STAND_INS = """
port=0947 looks=0
sleep() { :; }
active() { looks=$((looks + 1)); [ $looks -le "$ends" ]; }
listening() { [ $looks -gt "$listens" ]; }
engine_info() { [ $looks -gt "$answers" ]; }
journal() { :; }
"""


def came_up(*, listens: int, answers: int = 0, ends: int = 100_000, asks: str = "") -> bool:
    """Whether apply.sh finds the engine up; with `asks`, it is asked whether it is ready."""
    functions = re.findall(r"^(?:came_up|answering)\(\) \{\n.*?^\}$", resource("apply.sh"), re.DOTALL | re.MULTILINE)
    assert len(functions) == 2
    script = "\n".join([STAND_INS, *functions, "came_up"])
    variables = {"listens": str(listens), "answers": str(answers), "ends": str(ends), "asks": asks}
    return subprocess.run(["sh", "-c", script], env={"PATH": "/usr/bin:/bin", **variables}, check=False).returncode == 0


@pytest.mark.parametrize("ports", [0, 1, 2, 3])
def test_an_engine_that_warns_for_17_seconds_of_each_port_without_tls_is_waited_for(ports: int) -> None:
    assert came_up(listens=170 * ports)


def test_one_that_never_listens_or_has_ended_is_given_up() -> None:
    assert not came_up(listens=100_000)
    assert not came_up(listens=30, ends=0)


def test_one_that_listens_and_then_ends_has_not_come_up_where_its_init_system_does_not_say_that_it_is_ready() -> None:
    assert came_up(listens=5, answers=40, asks="yes")
    assert not came_up(listens=5, answers=40, ends=20, asks="yes")


def test_the_log_of_an_openrc_engine_is_read_from_where_its_last_start_began(tmp_path: Path) -> None:
    log = tmp_path / "docker.log"
    functions = re.findall(r"^(?:begin_log|journal)\(\) \{\n.*?^\}$", resource("apply.sh"), re.DOTALL | re.MULTILINE)
    assert len(functions) == 2
    appended = "begin_log; journal; echo new >>$openrc_log; journal"
    rotated = "begin_log; journal; echo first >$openrc_log; journal"
    script = "\n".join(
        [*functions, f"init=openrc openrc_log={log}", f"begin_log; echo old >$openrc_log; {appended}; {rotated}"]
    )
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("new\nfirst\n", "")


@pytest.mark.parametrize(("changed", "kept"), [(100, True), (300, False)])
def test_a_reload_keeps_the_time_of_a_file_that_nobody_changed_since_the_engine_s_start(
    changed: int, kept: bool, tmp_path: Path
) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "manifest").write_text(f"644 {tmp_path}/daemon.json\n600 {tmp_path}/new\n")
    for name, time in (("docker.pid", 200), ("old/1", changed), ("daemon.json", 400), ("new", 400)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time, time))
    [function] = re.findall(r"^keep_times\(\) \{\n.*?^\}$", resource("apply.sh"), re.DOTALL | re.MULTILINE)
    variables = f"there={tmp_path} engine_pid={tmp_path}/docker.pid action=reload"
    subprocess.run(["sh", "-c", f"{variables}\n{function}\nkeep_times"], check=True)
    assert (tmp_path / "daemon.json").stat().st_mtime == (changed if kept else 400)
    assert (tmp_path / "new").stat().st_mtime == 400


@pytest.mark.parametrize("kind", ["pipe", "device", "directory"])
def test_what_is_no_regular_file_is_refused_and_not_waited_for(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "clients.pem"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    [function] = re.findall(r"^save\(\) \{\n.*?^\}$", resource("apply.sh"), re.DOTALL | re.MULTILINE)
    script = f'failed() {{ echo "$*"; exit 5; }}\n{function}\nsave {path} {tmp_path}/old'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False, timeout=20)
    assert (done.returncode, done.stdout) == (5, f"{path} is not a regular file\n")
