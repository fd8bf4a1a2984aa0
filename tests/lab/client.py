"""What this machine gets from a host over the network, with the system's own ssh."""

from __future__ import annotations

import socket
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
