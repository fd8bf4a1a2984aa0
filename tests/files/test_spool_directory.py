"""The private directory for temporary files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from machinectl.errors import MachineError
from machinectl.files.spool_directory import PREFIX, spool_directory
from tests.support.real import need

if TYPE_CHECKING:
    from pathlib import Path


def test_the_next_process_removes_a_killed_ones_directory_and_none_that_is_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / f"{PREFIX}killed").mkdir()
    with spool_directory() as first, spool_directory() as second:
        assert {*map(str, tmp_path.glob(f"{PREFIX}*"))} == {first, second}


@pytest.mark.parametrize(
    ("mode", "owner", "why"), [(0o777, -1, "everybody may write to it"), (0o755, 65534, "it is another user's")]
)
def test_images_are_not_kept_where_another_user_could_replace_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, owner: int, why: str
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    if owner > 0:
        need("chown", root=True)
        os.chown(shared, owner, owner)
    shared.chmod(mode)
    monkeypatch.setenv("TMPDIR", str(shared))
    monkeypatch.setattr("tempfile.tempdir", None)
    with (
        pytest.raises(MachineError, match=f"shared is not safe for temporary files: {why}"),
        spool_directory(),
    ):
        pass
    assert os.listdir(shared) == []
