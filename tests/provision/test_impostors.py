"""What a user of the host may do to be taken for its engine: real processes with names that lie, read by the script."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from machinectl.provision.facts.host_facts import Facts, facts_command, parse_facts
from tests.support.real import need

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

NOBODY = 65534
ENGINE = 1


def read(port: int, *shell: str) -> Facts:
    """What the script finds on this very machine: it changes nothing."""
    need(*shell[:1], root=True)
    # Another test may be setting up this machine by its own sshd.
    script = facts_command(port, patience=0).replace("/run/machinectl/pid", "/dev/null")
    return parse_facts(subprocess.run([*shell, "-c", script], check=True, capture_output=True).stdout)


@contextmanager
def process(*words: str, files: Sequence[int] = ()) -> Iterator[int]:
    """A process of a user without rights, with some files open, as soon as it says that it is there."""
    child = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, user=NOBODY, group=NOBODY, pass_fds=files, cwd="/"
    )
    try:
        assert child.stdout is not None
        child.stdout.readline()
        yield child.pid
    finally:
        child.communicate()


@pytest.mark.parametrize("shell", [("dash",), ("bash",), ("busybox", "sh")], ids=lambda it: it[0])
def test_a_process_forges_no_fact_by_its_name_and_no_listener_by_the_files_that_it_opens(
    tmp_path: Path, shell: tuple[str, ...]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port, inode = listening.getsockname()[1], os.fstat(listening.fileno()).st_ino
        lies = tmp_path / f"a\n/proc/{ENGINE}/fd:\nlr-x------ 1 0 0 64 Jan 1 00:00 0 -> socket:[{inode}]"
        lies.parent.mkdir(parents=True)
        lies.touch()
        like_one = tmp_path / f"socket:[{inode}]"
        like_one.touch()
        with like_one.open() as first, lies.open() as second:
            opened = [first.fileno(), second.fileno(), listening.fileno()]
            name = r'printf "\n@swarm\n@e\033[J" >/proc/$$/comm; echo; read gone'
            with process("sh", "-c", name, files=opened):
                listening.close()
                found = read(port, *shell)
    assert found.listeners == (0,)
    assert not found.swarm
    assert not found.engine_listens


def test_a_program_of_roots_under_the_engines_name_is_not_the_engine(tmp_path: Path) -> None:
    need("sh", root=True)
    like_a_shim = ["-namespace", "moby", "-id", "ab" * 32]
    begun = []
    for name in ("dockerd", "containerd-shim-x"):
        (tmp_path / name).symlink_to(str(shutil.which("sh")))
        words = [str(tmp_path / name), "-c", "read gone", *like_a_shim]
        begun.append(subprocess.Popen(words, stdin=subprocess.PIPE))
    found = read(1, "sh")
    for child in begun:
        child.communicate()
    assert begun[0].pid not in [each.pid for each in found.processes]
    assert like_a_shim[-1] not in found.containers


def test_an_engine_is_known_by_its_program_also_where_a_distribution_calls_it_otherwise(tmp_path: Path) -> None:
    need("sh", root=True)
    program = shutil.copy(str(shutil.which("sh")), tmp_path / "dockerd-ce")
    words = [program, "-c", "read gone"]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as engine:
        found = {each.pid: each for each in read(1, "sh").processes}
        engine.communicate()
    assert found[engine.pid].uid == 0
