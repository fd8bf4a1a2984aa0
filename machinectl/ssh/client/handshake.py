"""Reach a host and run the SSH handshake."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
from typing import TYPE_CHECKING

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from machinectl.errors import one_line
from machinectl.files.temporary_files import small_file
from machinectl.ssh.client import connection_failures
from machinectl.ssh.client.connection_failures import (
    LONGEST_SAID,
    greeting_error,
    not_forwarded,
    nothing_shared,
    place,
    proxy_command_error,
)
from machinectl.ssh.client.transport import CONNECTION_ERRORS, NothingShared, Transport
from machinectl.ssh.ssh_errors import SSHError

if TYPE_CHECKING:
    from typing import IO

    from machinectl.ssh.keys.known_hosts import HostKey
    from machinectl.ssh.ssh_settings import Settings


# RFC 4253 4.2
LONGEST_GREETING = 255
# Most stderr to read from a ProxyCommand, in bytes.
LONGEST_ERRORS = 1 << 16
# ^C must not end the command, because we finish a step first. It stays in our process group, so that it can ask for
# a password at the terminal.
IGNORING_INTERRUPTS = 'trap "" INT; exec "$0" -c "$1"'


class ProxyCommand:
    """The user's ProxyCommand, on one socket pair. paramiko's own never notices its end."""

    def __init__(self, command: str) -> None:
        self.socket, theirs = socket.socketpair()
        self._errors: IO[bytes] = small_file()
        with theirs:
            try:
                self._process = subprocess.Popen(
                    ["/bin/sh", "-c", IGNORING_INTERRUPTS, os.environ.get("SHELL") or "/bin/sh", f"exec {command}"],
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=self._errors,
                )
            except OSError as exc:
                self.socket.close()
                self._errors.close()
                raise SSHError(
                    f"The ProxyCommand cannot be started: {failure_reason(exc)}", f"Try it: {command}"
                ) from exc
        self.command = command

    def said(self) -> str:
        """Return the last line of stderr."""
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - LONGEST_ERRORS))
        lines = self._errors.read(LONGEST_ERRORS).decode(errors="replace").strip().splitlines()
        return one_line(lines[-1]) if lines else ""

    def close(self) -> None:
        self.socket.close()
        self._process.terminate()
        self._process.wait()
        self._errors.close()


def handshake(transport: Transport, settings: Settings, proxy: ProxyCommand | None) -> None:
    """Agree on keys within `settings.connect_timeout` (RFC 4253). Raises SSHError."""
    over = threading.Event()
    transport.start_client(event=over)
    if not over.wait(settings.connect_timeout):
        transport.close()
        raise handshake_error(transport, settings, proxy, None)
    if not transport.is_active():
        failure = transport.get_exception()
        raise handshake_error(transport, settings, proxy, failure or EOFError()) from failure


def handshake_error(
    transport: Transport, settings: Settings, proxy: ProxyCommand | None, failure: Exception | None
) -> SSHError:
    """`failure` is None after a timeout."""
    if proxy is not None and not transport.remote_version:
        return proxy_command_error(settings, proxy.command, proxy.said())
    if isinstance(failure, NothingShared):
        return nothing_shared(settings, failure.keyword, failure.offered, failure.ours, outdated=failure.outdated)
    if isinstance(failure, IncompatiblePeer):
        return SSHError(
            f"{place(settings)} is incompatible with our SSH: {one_line(failure_reason(failure))}",
            "Update the host's OpenSSH",
        )
    if transport.remote_version:
        return connection_failures.handshake_error(settings, failure_reason(failure) if failure else "")
    return greeting_error(settings, transport.packets.first_line, is_late=failure is None)


def failure_reason(failure: BaseException | None) -> str:
    if isinstance(failure, OSError) and failure.strerror:
        return failure.strerror
    if failure is None or isinstance(failure, EOFError):
        return "it was closed"
    if isinstance(failure, paramiko.ChannelException):
        return one_line(str(failure.text), LONGEST_SAID)
    if isinstance(failure, TimeoutError):
        return "it gave no answer in time"
    return one_line(str(failure), LONGEST_SAID) or type(failure).__name__


def open_jump_channel(jump: Transport, settings: Settings, jump_address: str) -> paramiko.Channel:
    """Open a channel through a jump host (RFC 4254 7.2)."""
    try:
        return jump.open_channel(
            "direct-tcpip",
            (settings.hostname, settings.port),
            ("127.0.0.1", 0),
            timeout=settings.connect_timeout,
        )
    except paramiko.ChannelException as exc:
        why = "forwarding is not allowed there" if exc.code == 1 else "it cannot be reached from there"
        raise not_forwarded(settings, jump_address, why, check_sshd=True) from exc
    except CONNECTION_ERRORS as exc:
        raise not_forwarded(settings, jump_address, failure_reason(exc)) from exc


def read_banner(sock: socket.socket, timeout: float) -> tuple[str, HostKey | None]:
    """Return "" and None for what does not arrive within `timeout` seconds. The key is verified."""
    transport = Transport(sock, timeout=timeout)
    over = threading.Event()
    try:
        transport.start_client(event=over)
        over.wait(timeout)
        greeting = one_line(transport.remote_version, LONGEST_GREETING)
        with contextlib.suppress(paramiko.SSHException):
            return greeting, transport.server_host_key()
        return greeting, None
    finally:
        transport.close()
        sock.close()
