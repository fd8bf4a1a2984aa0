from __future__ import annotations

import os
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from machinectl.ssh.destination import SSHEndpoint
from machinectl.ssh.remote_files import (
    authorize_command,
    authorize_key,
    authorized_command,
    send_file,
    take_out_command,
    write_file_command,
)
from machinectl.ssh.ssh_errors import CommandFailed
from tests.support.sshd import keygen, log_in, public

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sshd import Sshd


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


def test_the_command_that_writes_a_file() -> None:
    assert write_file_command("/etc/docker/it's", 3, mode=0o600, owner="root:root").splitlines() == [
        "umask 077",
        """new=$(mktemp '/etc/docker/it'"'"'s'.XXXXXX) || exit""",
        "trap 'rm -f \"$new\"' EXIT",
        'cat >"$new" || exit',
        'if [ "$(wc -c <"$new")" -ne 3 ]; then echo "the file was cut off on its way" >&2; exit 1; fi',
        """chmod 0600 "$new" && chown root:root "$new" && sync "$new" && mv -f "$new" '/etc/docker/it'"'"'s'""",
    ]


@pytest.mark.parametrize("name", ["plain", "with blank", "it's $HOME", "-dash", "ü"])
def test_a_file_is_written_with_its_mode(directory: Path, name: str) -> None:
    path = directory / name
    answer = sh(write_file_command(str(path), 4, mode=0o644), b"\0\xff\n.")
    assert answer.stderr == b""
    assert path.read_bytes() == b"\0\xff\n."
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(directory.iterdir()) == [path]


def test_a_file_that_was_cut_off_does_not_take_the_place_of_the_old_one(directory: Path) -> None:
    path = directory / "daemon.json"
    path.write_text("{}")
    answer = sh(write_file_command(str(path), 100, mode=0o644), b'{"hosts": [')
    assert answer.returncode == 1
    assert answer.stderr == b"the file was cut off on its way\n"
    assert path.read_text() == "{}"
    assert list(directory.iterdir()) == [path]


def test_a_file_whose_owner_does_not_exist_is_not_left_behind(directory: Path) -> None:
    answer = sh(write_file_command(str(directory / "file"), 1, mode=0o644, owner="no-such-user"), b"x")
    assert answer.returncode != 0
    assert list(directory.iterdir()) == []


def test_a_file_is_readable_by_its_owner_alone_while_it_grows(directory: Path) -> None:
    script = write_file_command(str(directory / "key"), 6, mode=0o644)
    growing = subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE)
    assert growing.stdin is not None
    growing.stdin.write(b"gehe")
    growing.stdin.flush()
    while not (files := [path for path in directory.iterdir() if path.stat().st_size]):
        assert growing.poll() is None
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600
    growing.communicate(b"im", timeout=10)
    assert growing.returncode == 0
    assert stat.S_IMODE((directory / "key").stat().st_mode) == 0o644


@pytest.mark.usefixtures("ssh_config")
def test_a_file_is_sent_over_ssh(sshd: Sshd, tmp_path: Path) -> None:
    data = os.urandom(300_000)
    with log_in(sshd.endpoint) as session:
        send_file(session, str(tmp_path / "sent"), data, mode=0o600)
        assert (tmp_path / "sent").read_bytes() == data
        send_file(session, str(tmp_path / "empty"), b"", mode=0o600)
        assert (tmp_path / "empty").read_bytes() == b""
        with pytest.raises(CommandFailed, match="No such file or directory"):
            send_file(session, str(tmp_path / "nowhere" / "file"), b"", mode=0o600)


def test_a_public_key_is_added_once_and_readable_as_sshd_wants_it(tmp_path: Path, directory: Path) -> None:
    key, other = public(keygen(tmp_path / "a")), public(keygen(tmp_path / "b"))
    for line in (key, other, key, key.rpartition(" ")[0] + "\n"):
        answer = sh(authorize_command(), line.encode(), HOME=str(directory))
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
    assert sh(authorize_command(), key.encode(), HOME=str(tmp_path)).returncode == 0
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
        return sh(authorized_command(), key.encode(), HOME=str(directory)).stdout.decode().splitlines()

    assert asked() == [there, str(keys)]
    assert sh(authorize_command(), key.encode(), HOME=str(directory)).returncode == 0
    assert asked() == ["", str(keys)]
    for _ in "once", "again":
        answer = sh(take_out_command(str(keys), there), key.rpartition(" ")[0].encode() + b"\n")
        assert (answer.returncode, answer.stderr) == (0, b"")
    assert keys.parent.exists() == (there != "directory")
    assert keys.exists() == (there == "line")
    if there == "line":
        assert keys.read_text() == other
        assert stat.S_IMODE(keys.stat().st_mode) == 0o640


@pytest.mark.usefixtures("ssh_config")
def test_a_copied_key_logs_in(sshd: Sshd, tmp_path: Path, directory: Path) -> None:
    key = keygen(tmp_path / "key")
    sshd.configure(
        f"SetEnv HOME={directory} SHLVL=2",
        f"AuthorizedKeysFile {sshd.authorized_keys} {directory}/.ssh/authorized_keys",
    )
    with log_in(sshd.endpoint) as session:
        authorize_key(session, public(key).strip())
    sshd.authorized_keys.write_text("")
    with log_in(SSHEndpoint(sshd.host, sshd.user, sshd.port, str(key))) as session:
        assert session.run("echo in").text == "in"
