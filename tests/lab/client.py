"""What this machine gets from a host over the network, with the system's own ssh."""

from __future__ import annotations

import os
import socket
import subprocess
from typing import TYPE_CHECKING

from tests.lab.image import PASSWORD

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.host import Host


def ssh(host: Host, command: str, user: str = "root", stdin: str = "") -> subprocess.CompletedProcess[str]:
    words = [*host.ssh_command(user), command]
    return subprocess.run(words, input=stdin, capture_output=True, text=True, check=False)


def connects(host: Host, port: int, timeout: float = 2) -> bool:
    try:
        socket.create_connection((host.ip, port), timeout).close()
    except OSError:
        return False
    return True


def password_login(host: Host, user: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    ask = tmp_path / "ask"
    ask.write_text(f"#!/bin/sh\necho {PASSWORD}\n")
    ask.chmod(0o700)
    options = ("-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1")
    words = [*host.ssh_command(user)[:-1], *options, f"{user}@{host.ip}", "whoami"]
    environment = os.environ | {"SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force"}
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
