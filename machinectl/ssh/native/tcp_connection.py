"""Connect to an SSH server, and see whether it is one, before paramiko takes over."""

from __future__ import annotations

import select
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from machinectl.errors import Hint
from machinectl.name_resolution import resolve
from machinectl.ssh.connection_failures import GREETING, connect_error, greeting_error, unresolved
from machinectl.ssh.ssh_errors import SSHError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.name_resolution import AddressInfo
    from machinectl.ssh.ssh_settings import Settings

# RFC 4253 4.2, in bytes.
LONGEST_GREETING = 255
# Seconds between two looks at a greeting.
LOOK_SECONDS = 0.02


def connect_to_sshd(settings: Settings) -> socket.socket:
    """Try each address in turn. Raises SSHError."""
    deadline = time.monotonic() + settings.connect_timeout
    addresses = resolve_host(settings)
    failure: OSError = TimeoutError()
    for left, (family, kind, protocol, _, address) in zip(range(len(addresses), 0, -1), addresses, strict=True):
        connection = socket.socket(family, kind, protocol)
        try:
            # Share the time among the addresses: one may drop packets.
            connection.settimeout(max(0.1, (deadline - time.monotonic()) / left))
            connection.connect(address)
            # Nagle's algorithm would delay commands, which are small packets.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as exc:
            connection.close()
            failure = exc
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise connect_error(settings, failure) from failure


def resolve_host(settings: Settings) -> Sequence[AddressInfo]:
    try:
        return resolve(settings.hostname, settings.port, settings.connect_timeout, settings.family)
    except TimeoutError as exc:
        raise SSHError(
            f"The name {settings.hostname} was not resolved within {settings.connect_timeout:.0f} s",
            Hint("Check the name server", "getent hosts", settings.hostname),
        ) from exc
    except (OSError, UnicodeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "one of its parts is empty, or too long"
        raise unresolved(settings, why or "") from exc


def check_greeting(connection: socket.socket, settings: Settings) -> None:
    """Raises SSHError unless a server of SSH greets. Leaves its greeting unread."""
    deadline = time.monotonic() + settings.connect_timeout
    said = b""
    while (left := deadline - time.monotonic()) > 0 and select.select([connection], [], [], left)[0]:
        with suppress(OSError):
            said = connection.recv(LONGEST_GREETING, socket.MSG_PEEK)
        if said.startswith(GREETING.encode()):
            return
        line = said.split(b"\n")[0].rstrip(b"\r").decode(errors="replace")
        if not GREETING.startswith(line) or not line:
            raise greeting_error(settings, line or None)
        time.sleep(LOOK_SECONDS)
    raise greeting_error(settings, said.decode() or None, is_late=True)
