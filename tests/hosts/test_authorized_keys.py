from __future__ import annotations

import os
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from machinectl.hosts.authorized_keys import (
    AUTHORIZE,
    FIND_KEY,
    take_out_command,
)
from tests.support.sshd import keygen, public

if TYPE_CHECKING:
    from pathlib import Path


def sh(script: str, data: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["sh", "-c", script], input=data, capture_output=True, check=False, env={**os.environ, **environment}
    )


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where only what a command leaves is."""
    path = tmp_path / "directory"
    path.mkdir()
    return path


def test_a_public_key_is_added_once_and_readable_as_sshd_wants_it(tmp_path: Path, directory: Path) -> None:
    key, other = public(keygen(tmp_path / "a")), public(keygen(tmp_path / "b"))
    for line in (key, other, key, key.rpartition(" ")[0] + "\n"):
        answer = sh(AUTHORIZE, line.encode(), HOME=str(directory))
        assert (answer.returncode, answer.stderr) == (0, b"")
    keys = directory / ".ssh" / "authorized_keys"
    assert keys.read_text() == key + other
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.parent.stat().st_mode) == 0o700


def test_keys_that_are_there_stay_and_what_sshd_would_refuse_is_mended(tmp_path: Path) -> None:
    directory = tmp_path / ".ssh"
    directory.mkdir(mode=0o777)
    directory.chmod(0o777)
    keys = directory / "authorized_keys"
    keys.write_text("ssh-ed25519 AAAA old")
    keys.chmod(0o666)
    key = public(keygen(tmp_path / "a"))
    assert sh(AUTHORIZE, key.encode(), HOME=str(tmp_path)).returncode == 0
    assert keys.read_text() == f"ssh-ed25519 AAAA old\n{key}"
    assert stat.S_IMODE(keys.stat().st_mode) == 0o644
    assert stat.S_IMODE(directory.stat().st_mode) == 0o755


@pytest.mark.parametrize("there", ["directory", "file", "line"])
def test_a_key_that_is_taken_out_again_leaves_what_was_there(tmp_path: Path, directory: Path, there: str) -> None:
    key, other = public(keygen(tmp_path / "a")), public(keygen(tmp_path / "b"))
    keys = directory / ".ssh" / "authorized_keys"
    if there != "directory":
        keys.parent.mkdir(mode=0o700)
    if there == "line":
        keys.write_text(other)
        keys.chmod(0o640)

    def asked() -> list[str]:
        return sh(FIND_KEY, key.encode(), HOME=str(directory)).stdout.decode().splitlines()

    assert asked() == [there, str(keys)]
    assert sh(AUTHORIZE, key.encode(), HOME=str(directory)).returncode == 0
    assert asked() == ["", str(keys)]
    for _ in "once", "again":
        answer = sh(take_out_command(str(keys), there), key.rpartition(" ")[0].encode() + b"\n")
        assert (answer.returncode, answer.stderr) == (0, b"")
    assert keys.parent.exists() == (there != "directory")
    assert keys.exists() == (there == "line")
    if there == "line":
        assert keys.read_text() == other
        assert stat.S_IMODE(keys.stat().st_mode) == 0o640
