"""Files that are written together, in folders, too."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from machinectl.errors import NO_HINT, Hint, MachineError
from machinectl.files import fileset
from machinectl.files.fileset import locked_directory, replace_together

if TYPE_CHECKING:
    from pathlib import Path

SET = {"tool.yml": b"tool", "rigel/ca.pem": b"ca", "rigel/key.pem": b"key", "vega/ca.pem": b"other"}


def write(directory: Path, files: dict[str, bytes], *, force: bool = False) -> None:
    with locked_directory(str(directory)):
        replace_together(str(directory), files, force=force, hint=Hint("Choose another directory"), mode=0o600)


def found(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_files_in_folders_are_written_together_and_for_the_owner_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out, SET)
    assert found(out) == SET
    modes = {str(path.relative_to(tmp_path)): stat.S_IMODE(path.stat().st_mode) for path in (out, *out.rglob("*"))}
    assert modes == {
        "out": 0o700,
        "out/rigel": 0o700,
        "out/vega": 0o700,
        **{f"out/{name}": 0o600 for name in SET},
    }


def test_a_link_in_the_place_of_a_folder_stops_all(tmp_path: Path) -> None:
    """As in a repository of somebody else: keys go nowhere else."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "rigel").symlink_to(tmp_path / "elsewhere")
    with locked_directory(str(tmp_path / "out")), pytest.raises(MachineError, match="rigel is a link to "):
        replace_together(str(tmp_path / "out"), {"rigel/key.pem": b"key"}, force=True, hint=NO_HINT)
    assert os.listdir(tmp_path / "elsewhere") == []
    assert os.listdir(tmp_path / "out") == ["rigel"]


@pytest.mark.parametrize("moved", range(len(SET)))
def test_the_next_run_places_what_a_killed_one_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moved: int
) -> None:
    """Killed after each of the files."""
    write(tmp_path, {"vega/ca.pem": b"old", "vega/cert.pem": b"stays"})
    moves = iter(range(moved))
    replace = os.replace

    def killed(source: str, target: str) -> None:
        if next(moves, None) is None:
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path, SET, force=True)
    with locked_directory(str(tmp_path)):
        pass
    assert found(tmp_path) == {**SET, "vega/cert.pem": b"stays"}
    assert not (tmp_path / fileset.COMMITTED).exists()
