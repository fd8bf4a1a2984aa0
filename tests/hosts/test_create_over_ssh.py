"""`create` where the host does not let us in: the error is about what was typed, not about copies that are gone."""

from __future__ import annotations

import os
import pty
import signal
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.in_process import machinectl
from tests.support.program import COMMAND
from tests.support.sshd import keygen

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sshd import SSHConfig, Sshd


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


def register(store: Path, port: int, *options: str) -> subprocess.CompletedProcess[str]:
    way = ("--generic-ip-address", "127.0.0.1", "--generic-ssh-port", str(port), "--generic-ssh-user", "somebody")
    return machinectl("create", "-d", "generic", "--no-provision", *way, *options, "box", store=store)


def pins(store: Path) -> str:
    path = store / "machines/box/known_hosts"
    return path.read_text() if path.exists() else ""


def test_the_hosts_key_is_pinned_and_nobody_logs_in(sshd: Sshd, tmp_path: Path) -> None:
    done = register(tmp_path, sshd.port)
    assert done.returncode == 0, done.stderr
    assert f"{sshd.fingerprint()} is trusted from now on" in done.stderr
    assert pins(tmp_path).split()[:3] == ["machinectl", *sshd.known().split()[1:3]]
    assert "method publickey" not in sshd.log
    assert "Accepted" not in sshd.log

    sshd.host_keys = [keygen(tmp_path / "another_host_key")]
    refused = machinectl("provision", "box", store=tmp_path)
    assert refused.returncode == 1
    assert "has changed" in refused.stderr


def test_a_fingerprint_that_the_host_does_not_have_is_refused_and_nothing_is_registered(
    sshd: Sshd, tmp_path: Path
) -> None:
    for options in (("--ssh-host-key", "SHA256:" + "A" * 43), ("--ssh-strict",)):
        done = register(tmp_path, sshd.port, *options)
        assert done.returncode == 1, done.stderr
        assert machinectl("ls", "-q", store=tmp_path).stdout == ""


def test_a_key_that_the_users_known_hosts_contradicts_is_refused(
    sshd: Sshd, ssh_config: SSHConfig, tmp_path: Path
) -> None:
    ssh_config.known_hosts.write_text(
        f"[127.0.0.1]:{sshd.port} {keygen(tmp_path / 'k').with_suffix('.pub').read_text()}"
    )
    done = register(tmp_path, sshd.port)
    assert done.returncode == 1
    assert "has changed" in done.stderr


def test_a_host_that_is_off_is_registered_unpinned_and_that_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        done = register(tmp_path, port)
        assert done.returncode == 0, done.stderr
        assert 'The SSH key of "box" is not pinned before the first login: 127.0.0.1 port' in done.stderr
        assert pins(tmp_path) == ""
        assert machinectl("rm", "-y", "box", store=tmp_path).returncode == 0

        strict = register(tmp_path, port, "--ssh-strict")
        assert strict.returncode == 1
        assert "refuses the connection" in strict.stderr


@pytest.mark.parametrize(
    ("options", "effect"),
    [
        (["--ssh-only", "--open-firewall"], "--ssh-only --open-firewall"),
        (["--engine-opt", "log-level=warn", "--tls-san", "web"], "--engine-opt --tls-san"),
    ],
)
def test_options_that_only_a_set_up_applies_are_named_with_the_command(
    sshd: Sshd, tmp_path: Path, options: list[str], effect: str
) -> None:
    done = register(tmp_path, sshd.port, *options)
    assert done.returncode == 0, done.stderr
    said = f"Warning: No effect while the host is not set up: {effect}\n  Set the host up: machinectl provision box\n"
    assert said in done.stderr


def test_set_names_the_command_that_applies_an_engine_option(sshd: Sshd, tmp_path: Path) -> None:
    register(tmp_path, sshd.port)
    done = machinectl("set", "--ssh-only", "box", store=tmp_path)
    assert done.stderr == '"box" now: --ssh-only\n  Apply it to the host: machinectl provision box\n'
    assert machinectl("set", "--label", "role=web", "box", store=tmp_path).stderr == '"box" now: --label=role=web\n'
