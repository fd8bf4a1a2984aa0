"""Temporary files, also where the root of a container is read-only (docker run --read-only)."""

from __future__ import annotations

import errno
import os
import tempfile
from typing import TYPE_CHECKING

import pytest

from machinectl.errors import MachineError
from machinectl.files import spool_directory, user_directories
from machinectl.files.spool_directory import temporary_directory

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path


NOTHING = "Cannot write temporary files: No usable temporary directory found"
HINT = "Name a directory for them: export TMPDIR=<DIRECTORY>"


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave no place for temporary files."""

    def none() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr(tempfile, "gettempdir", none)
    monkeypatch.setattr(spool_directory, "ON_DISK", "/nonexistent")
    monkeypatch.setattr(user_directories, "IN_MEMORY", "/nonexistent")


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("make", [temporary_directory, spool_directory.spool_directory])
def test_without_a_place_one_error_names_tmpdir(make: Callable[[], AbstractContextManager[str]]) -> None:
    with pytest.raises(MachineError) as refused, make():
        pass
    assert (refused.value.cause, refused.value.hint, refused.value.exit_code) == (NOTHING, HINT, 1)


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("make", [temporary_directory, spool_directory.spool_directory])
def test_they_are_in_memory_if_nothing_else_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[], AbstractContextManager[str]]
) -> None:
    monkeypatch.setattr(user_directories, "IN_MEMORY", str(tmp_path))
    with make() as directory:
        assert os.path.dirname(directory) == str(tmp_path)


def test_a_read_only_directory_of_an_earlier_run_is_not_for_sockets(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = user_directories.socket_directory()
    assert before == str(runtime / f"machinectl-{os.geteuid()}")
    access = os.access
    # As of a read-only file system, for root, too.
    monkeypatch.setattr(os, "access", lambda path, mode: path != before and access(path, mode))
    assert user_directories.socket_directory() != before
