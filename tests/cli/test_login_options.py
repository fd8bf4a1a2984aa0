"""Secrets on their way into the command line: who else gets to see them."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from machinectl.cli.invocation import PASSWORDS
from machinectl.machines.create_options import LOGIN_SECRETS
from tests.support.in_process import machinectl

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sshd import SSHConfig

SECRETS = {"MACHINECTL_SSH_PASSWORD": "geheim-eins", "MACHINECTL_SUDO_PASSWORD": "geheim-zwei"}


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def test_no_program_that_is_run_inherits_a_password(ssh_config: SSHConfig, closed_port: int, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    ssh_config.write(f'Match exec "env >>{seen}"\n  ProxyCommand env >>{seen}\n')
    store = tmp_path / "store"
    way = ("--ip-address", "127.0.0.1", "--ssh-port", str(closed_port))
    machinectl("create", "-d", "generic", *way, "box", store=store, environment=SECRETS)
    machinectl(
        "create", "--no-provision", "-d", "none", "--url", "ssh://127.0.0.1", "shell", store=store, environment=SECRETS
    )
    machinectl("ls", store=store, environment=SECRETS)
    machinectl("ssh", "box", "true", store=store, environment=SECRETS)
    for words in (("status", "shell"), ("ssh", "box", "-v"), ("version", "shell"), ("scp", "box:x", tmp_path)):
        machinectl(*words, store=store, environment=SECRETS)
    environments = seen.read_text()
    assert environments.count("PATH=") >= 8
    assert set(SECRETS) == set(PASSWORDS) == {each.variable for each in LOGIN_SECRETS if each.variable}
    assert "geheim" not in environments


@pytest.mark.usefixtures("ssh_config")
@pytest.mark.skipif(os.name != "posix", reason="files have modes there")
@pytest.mark.parametrize("option", ["--ssh-password-file", "--sudo-password-file", "--ssh-passphrase-file"])
def test_a_secret_in_a_file_that_others_can_read_is_warned_of(closed_port: int, tmp_path: Path, option: str) -> None:
    way = ("--ip-address", "127.0.0.1", "--ssh-port", str(closed_port))
    secret = tmp_path / "secret"
    secret.write_text("geheim\n")
    for mode, warned in ((0o600, False), (0o640, True), (0o644, True)):
        secret.chmod(mode)
        done = machinectl("create", "-d", "generic", *way, option, secret, "box", store=tmp_path / "store")
        assert (f"{option}: others can read {secret}; keep them out: chmod 600 {secret}" in done.stderr) is warned
        assert "geheim" not in done.stderr
