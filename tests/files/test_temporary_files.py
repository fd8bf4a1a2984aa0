"""Temporary files, also where the root of a container is read-only (docker run --read-only)."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

import pytest

from machinectl.errors import MachineError
from machinectl.files import spool_directory, user_directories
from machinectl.files.spool_directory import temporary_directory
from tests.support.in_process import machinectl
from tests.support.registered import register

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from machinectl.machines.store import Store
    from tests.support.sshd import Sshd

NOTHING = "Cannot write temporary files to /tmp, nor to another directory"
HINT = "Make room there, or name another directory: export TMPDIR=<DIRECTORY>"


@pytest.fixture
def in_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Leave only this directory, in place of /dev/shm, for temporary files."""

    def none() -> str:
        raise FileNotFoundError

    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr(tempfile, "gettempdir", none)
    monkeypatch.setattr(spool_directory, "ON_DISK", "/nonexistent")
    monkeypatch.setattr(user_directories, "IN_MEMORY", str(tmp_path))
    return tmp_path


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, in_memory: Path) -> None:
    monkeypatch.setattr(user_directories, "IN_MEMORY", f"{in_memory}/nonexistent")


@pytest.mark.parametrize("make", [temporary_directory, spool_directory.spool_directory])
def test_they_are_in_memory_if_nothing_else_can_be_written(
    in_memory: Path, make: Callable[[], AbstractContextManager[str]]
) -> None:
    with make() as directory:
        assert os.path.dirname(directory) == str(in_memory)


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("make", [temporary_directory, spool_directory.spool_directory])
def test_without_a_place_one_error_names_tmpdir(make: Callable[[], AbstractContextManager[str]]) -> None:
    with pytest.raises(MachineError) as refused, make():
        pass
    assert (refused.value.cause, refused.value.hint, refused.value.exit_code) == (NOTHING, HINT, 1)


@pytest.mark.usefixtures("ssh_config")
def test_scp_copies_without_another_place(
    store: Store, sshd: Sshd, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    register(store, "orion", sshd)
    request.getfixturevalue("in_memory")
    (tmp_path / "there").write_text("a text\n")
    done = machinectl("scp", f"orion:{tmp_path}/there", f"{tmp_path}/here", store=store.root)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "here").read_text() == "a text\n"


def test_a_read_only_directory_of_an_earlier_run_is_not_for_sockets(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = user_directories.socket_directory()
    assert before == str(runtime / f"machinectl-{os.geteuid()}")
    access = os.access
    # As of a read-only file system, for root, too.
    monkeypatch.setattr(os, "access", lambda path, mode: path != before and access(path, mode))
    assert user_directories.socket_directory() != before
