"""How a host fares: what its answer means, and what the script says of this machine."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl.errors import MachineError
from machinectl.provision.facts.health import (
    FileSystem,
    Memory,
    health_command,
    parse_health,
)
from tests.support.real import need

if TYPE_CHECKING:
    from pathlib import Path

ANSWER = b"""Welcome!
@begin health

@disk 1000 500 400 64 32 /dev/sda1 /

@disk 1000 500 400 64 32 /dev/sda1 /var

@disk 9000 1 8999 0 0 /dev/sdb1 /srv/my data

@memory 8000 4000 0 0

@load 0.5 1 2.00

@uptime 77.5

@replaced dockerd 12

@replaced containerd 9

@replaced containerd 8

@end
"""


def test_an_answer_is_read_and_a_disk_told_once() -> None:
    found = parse_health(ANSWER)
    assert found.disks == (
        FileSystem(1000, 500, 64, 32, "/dev/sda1", "/", 400),
        FileSystem(9000, 1, 0, 0, "/dev/sdb1", "/srv/my data", 8999),
    )
    assert found.data == found.disks[-1]
    assert (found.load, found.uptime) == ((0.5, 1.0, 2.0), 77.5)
    assert found.memory == Memory(8000, 4000, 0, 0)
    assert found.replaced == ("containerd", "dockerd")
    assert found.reboot is None
    assert parse_health(ANSWER.replace(b"@end", b"@reboot linux-image dbus\n\n@end")).reboot == ("linux-image", "dbus")
    assert parse_health(ANSWER.replace(b"@end", b"@reboot\n\n@end")).reboot == ()


@pytest.mark.parametrize("full", ["/srv/docker", "/etc/docker"])
def test_two_file_systems_in_memory_are_two_disks(tmp_path: Path, full: str) -> None:
    answer = 'for last; do :; done; echo Filesystem; echo "tmpfs 1000 900 $free 99% $last"'
    df = tmp_path / "df"
    df.write_text(f'#!/bin/sh\n[ "$3" != {full} ] && free=500 || free=0\n{answer}\n')
    df.chmod(0o755)
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(["sh", "-c", health_command("/srv/docker")], env=path, capture_output=True, check=False)
    found = {disk.directory: disk.free for disk in parse_health(done.stdout).disks}
    assert (found["/tmp"], found[full]) == (500, 0)


@given(st.binary() | st.integers(0, len(ANSWER) - 6).map(lambda end: ANSWER[:end]))
def test_what_is_no_answer_is_refused_in_a_line(said: bytes) -> None:
    with pytest.raises(MachineError) as caught:
        parse_health(said)
    assert "\n" not in caught.value.cause


@given(st.lists(st.sampled_from([b"1", b"-1", b"x", b"\xff", b"/", b""]), max_size=8))
def test_numbers_that_are_none_are_no_bug(words: list[bytes]) -> None:
    with suppress(MachineError):
        parse_health(b"@begin health\n@memory 1 1 1 1\n@disk " + b" ".join(words) + b"\n@end\n")


@pytest.mark.parametrize("count", [b"9" * 20, b"-" + b"9" * 20, b"9" * 400])
@pytest.mark.parametrize("place", [b"1000 500", b"8000 4000", b"0.5 1"])
def test_what_no_host_has_is_no_number(place: bytes, count: bytes) -> None:
    assert place in ANSWER
    with pytest.raises(MachineError, match="answer is invalid"):
        parse_health(ANSWER.replace(place, count + b" 1"))


@pytest.mark.parametrize("shell", [("dash",), ("bash",), ("busybox", "sh")], ids=lambda it: it[0])
def test_any_shell_reads_this_machine(shell: tuple[str, ...]) -> None:
    need(shell[0])
    done = subprocess.run([*shell, "-c", health_command("/")], capture_output=True, check=True)
    found = parse_health(done.stdout)
    total, _, free = shutil.disk_usage("/")
    root = next(disk for disk in found.disks if disk.directory == "/")
    assert root.size == total >> 10
    assert abs(root.free - (free >> 10)) < total >> 13
    assert found.memory.total > found.memory.available > 0
    assert found.uptime
    assert len(found.load) == 3
    script = health_command("/nonexistent/docker's root")
    hidden = parse_health(subprocess.run([*shell, "-c", script], capture_output=True, check=True).stdout)
    assert hidden.data
    assert hidden.data.directory == "/"
