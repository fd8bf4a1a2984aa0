"""Read a greeting and host key without a login."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

import paramiko

from machinectl.errors import one_line
from machinectl.ssh.client.transport import Transport
from machinectl.ssh.keys.known_hosts import HostKey

if TYPE_CHECKING:
    import socket

# RFC 4253 4.2
LONGEST_GREETING = 255


def read_banner(sock: socket.socket, timeout: float) -> tuple[str, HostKey | None]:
    """Return "" and None for what does not arrive within `timeout` seconds. The key is verified."""
    transport = Transport(sock, timeout=timeout)
    over = threading.Event()
    try:
        transport.start_client(event=over)
        over.wait(timeout)
        greeting = one_line(transport.remote_version, LONGEST_GREETING)
        with contextlib.suppress(paramiko.SSHException):
            key = transport.get_remote_server_key()
            return greeting, HostKey(key.get_name(), key.asbytes())
        return greeting, None
    finally:
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            transport.close()
        sock.close()
