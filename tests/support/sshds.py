"""Hosts for the benchmark, which runs without pytest: a standing sshd each, at a loopback address of its own."""

from __future__ import annotations

import getpass
import ipaddress
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST = ipaddress.IPv4Address("127.65.0.1")
SBIN = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
# sshd refuses to start where its unprivileged half has no empty directory to live in; its unit makes it.
PRIVILEGE_SEPARATION = Path("/run/sshd")
# How long an sshd may take to listen. Seconds.
PATIENCE = 20.0
CONFIG = """\
ListenAddress {host}:{port}
HostKey {key}
AuthorizedKeysFile {authorized}
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
Subsystem sftp internal-sftp
LogLevel QUIET
SetEnv HOME={home} {environment}
"""


class Host(NamedTuple):
    """Where an sshd is, who is let in with which key, and the public half of its own."""

    host: str
    port: int
    user: str
    key_path: Path
    public: str

    def known(self) -> str:
        """Return its host key as a line of known_hosts."""
        return f"[{self.host}]:{self.port} {self.public}"


@contextmanager
def sshds(directory: Path, count: int, environment: str = "") -> Iterator[list[Host]]:
    """Start so many, with their keys and configuration in a directory that is not there yet.

    Sessions get the `environment`, NAME=VALUE.
    """
    program = shutil.which("sshd", path=SBIN)
    if program is None:
        sys.exit("The benchmark needs sshd: apt-get install openssh-server")
    if os.geteuid() == 0:
        PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
    # The shell on the host reads no ~/.bashrc of the user: that would be measured, too.
    home = directory / "home"
    home.mkdir(parents=True)
    key = made(directory / "id_ed25519")
    with socket.create_server(("0.0.0.0", 0)) as listener:
        port: int = listener.getsockname()[1]
    found = []
    with ExitStack() as stack:
        for number in range(count):
            own, config = made(directory / f"host-{number}"), directory / f"config-{number}"
            host = Host(str(FIRST + number), port, getpass.getuser(), key, own.with_suffix(".pub").read_text().strip())
            values = {"host": host.host, "port": port, "key": own, "authorized": key.with_suffix(".pub")}
            values |= {"home": home, "environment": environment}
            config.write_text(CONFIG.format(**values))
            process = subprocess.Popen([program, "-D", "-f", str(config)], stdin=subprocess.DEVNULL)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            found.append(host)
        for host in found:
            wait_listening(host.host, host.port)
        yield found


def made(path: Path) -> Path:
    """Make a key pair; return the path of its private half."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


def wait_listening(host: str, port: int) -> None:
    """Wait until a server takes connections. Raises OSError."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection((host, port), PATIENCE).close()
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return
