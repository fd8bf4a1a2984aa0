"""The private directory for temporary files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from machinectl.errors import MachineError
from machinectl.files.spool_directory import spool_directory

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_that_a_thread_makes_during_the_removal_goes_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with spool_directory() as directory:
        thread = os.open(directory, os.O_RDONLY)
        remove = os.rmdir

        def after_one_more_file(path: Any, **options: Any) -> None:
            monkeypatch.setattr(os, "rmdir", remove)
            os.close(os.open("late", os.O_WRONLY | os.O_CREAT, dir_fd=thread))
            remove(path, **options)

        monkeypatch.setattr(os, "rmdir", after_one_more_file)
    os.close(thread)
    assert not os.path.lexists(f"{directory}-ended")


def test_images_are_not_kept_where_another_user_could_replace_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    monkeypatch.setenv("TMPDIR", str(shared))
    monkeypatch.setattr("tempfile.tempdir", None)
    with (
        pytest.raises(MachineError, match="shared is not safe for temporary files: everybody may write to it"),
        spool_directory(),
    ):
        pass
    assert os.listdir(shared) == []
