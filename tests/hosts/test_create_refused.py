"""`create` where the host does not let us in: the error is about what was typed, not about copies that are gone."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.in_process import machinectl
from tests.support.program import COMMAND
from tests.support.sshd import keygen

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sshd import Sshd

pytestmark = pytest.mark.usefixtures("ssh_config")


@pytest.mark.parametrize("passphrase", ["", "geheim"])
@pytest.mark.parametrize("option", ["", "--dry-run"])
def test_a_key_that_does_not_let_in_is_named_as_it_was_typed(
    sshd: Sshd, tmp_path: Path, passphrase: str, option: str
) -> None:
    store = tmp_path / "store"
    way = ("--generic-ip-address", "127.0.0.1", "--generic-ssh-port", str(sshd.port), "--generic-ssh-user", sshd.user)
    keygen(tmp_path / "mine", passphrase=passphrase)
    key = ("--generic-ssh-key", "./mine")
    done = machinectl("create", "-d", "generic", *way, *key, *filter(None, [option]), "box", store=store, cwd=tmp_path)
    assert done.returncode == 1
    assert "./mine" in done.stderr
    assert "id_ssh" not in done.stderr
    assert str(store) not in done.stderr
    assert machinectl("ls", "-q", store=store).stdout == ""


@pytest.mark.parametrize(
    ("number", "command", "status"),
    [
        (signal.SIGHUP, COMMAND, 128 + signal.SIGHUP),
        (signal.SIGTERM, COMMAND, 128 + signal.SIGTERM),
        # Without an answer, the key is refused.
        (signal.SIGHUP, ["sh", "-c", "trap '' HUP; exec \"$@\"", "sh", *COMMAND], 1),
    ],
    ids=["SIGHUP", "SIGTERM", "SIGHUP ignored"],
)
def test_a_terminal_that_is_closed_at_the_question_about_the_key_leaves_no_machine(
    sshd: Sshd, tmp_path: Path, number: int, command: list[str], status: int
) -> None:
    way = ["--generic-ip-address", "127.0.0.1", "--generic-ssh-port", str(sshd.port), "--generic-ssh-user", sshd.user]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*command, "create", "-d", "generic", *way, "box"],
        env={**os.environ, "MACHINE_STORAGE_PATH": str(tmp_path / "store")},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    said = b""
    while b"Trust it?" not in said:
        said += os.read(ours, 1 << 16)
    process.send_signal(number)
    os.close(ours)
    assert process.wait() == status
    assert machinectl("ls", "-q", store=tmp_path / "store").stdout == ""
