"""Reach a host and run the SSH handshake."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from machinectl.errors import one_line
from machinectl.files.temporary_files import small_file
from machinectl.name_resolution import resolve
from machinectl.ssh.client.transport import CONNECTION_ERRORS, NothingShared, Transport
from machinectl.ssh.ssh_errors import (
    ANOTHER_PORT,
    REJECTING_GREETINGS,
    ConnectionLost,
    NotForwarded,
    SSHError,
    Unreachable,
    Unsupported,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import IO

    from machinectl.name_resolution import AddressInfo
    from machinectl.ssh.keys.known_hosts import HostKey
    from machinectl.ssh.ssh_settings import Settings


GREETING = "SSH-"
# Longest quote of a host's text, in characters; most stderr to read from a ProxyCommand, in bytes.
LONGEST_SAID = 100
# RFC 4253 4.2
LONGEST_GREETING = 255
LONGEST_ERRORS = 1 << 16
LONGEST_OFFER = 300
# ^C must not end the command, because we finish a step first. It stays in our process group, so that it can ask for
# a password at the terminal.
IGNORING_INTERRUPTS = 'trap "" INT; exec "$0" -c "$1"'
UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN}


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
            f"Check the name server: getent hosts {settings.hostname}",
        ) from exc
    except (OSError, UnicodeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "one of its parts is empty, or too long"
        raise SSHError(
            f"The name {settings.hostname} does not resolve: {why}",
            f"Check its spelling, or give its address: getent hosts {settings.hostname}",
        ) from exc


def connect_error(settings: Settings, failure: OSError) -> SSHError:
    where = f"{settings.hostname} port {settings.port}"
    if isinstance(failure, TimeoutError) or failure.errno == errno.ETIMEDOUT:
        return Unreachable(
            f"{where} gave no answer within {settings.connect_timeout:.0f} s: it is off, or a firewall is in between",
            f"Try: ping {settings.hostname}; {ANOTHER_PORT}",
        )
    if failure.errno == errno.ECONNREFUSED:
        return SSHError(
            f"{where} refuses the connection: no SSH server listens there",
            f"On the host: systemctl status ssh; {ANOTHER_PORT}",
        )
    if failure.errno in UNREACHABLE:
        return Unreachable(f"There is no way to {where}: {failure.strerror}", f"Try: ping {settings.hostname}")
    return SSHError(f"{where} cannot be reached: {failure.strerror or failure}", f"Try: ping {settings.hostname}")


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
    where = f"{settings.hostname} port {settings.port}"
    within = f"within {settings.connect_timeout:.0f} s"
    if proxy is not None and not transport.remote_version:
        said = proxy.said()
        return NotForwarded(
            f"The ProxyCommand does not lead to {where}{said and f': {said}'}", f"Try it: {proxy.command}"
        )
    if isinstance(failure, NothingShared):
        return nothing_shared(where, failure)
    if isinstance(failure, IncompatiblePeer):
        return SSHError(
            f"{where} is incompatible with our SSH: {one_line(failure_reason(failure))}",
            "Update the host's OpenSSH",
        )
    if transport.remote_version:
        end = f"ended the connection during the handshake ({failure_reason(failure)})"
        return ConnectionLost(
            f"{where} {end if failure else f'did not finish the handshake {within}'}",
            f"See what ssh says: ssh -v {settings.login_options}",
        )
    line = transport.packets.first_line
    if line is not None and line.startswith(REJECTING_GREETINGS):
        return SSHError(
            f"The SSH server of {where} rejects this address for now: {one_line(line, LONGEST_SAID)!r}. "
            "It does so after several failed logins, or during many at once",
            "Wait a minute, then run it again; on the host: journalctl -u ssh (PerSourcePenalties, MaxStartups)",
        )
    if line is not None and not (line.startswith(GREETING) or GREETING.startswith(line)):
        return SSHError(
            f"{where} is not an SSH server: it says {one_line(line, LONGEST_SAID)!r}",
            f"See what listens there; {ANOTHER_PORT}",
        )
    if failure is None:
        greet = "did not greet" if line is None else "did not finish its greeting"
        return SSHError(
            f"{where} took the connection and {greet} {within}, as SSH does",
            f"The host may hang: look at its console; {ANOTHER_PORT}",
        )
    if line is not None:
        return SSHError(
            f"{where} ended the connection in the middle of its greeting, {one_line(line, LONGEST_SAID)!r}",
            f"See what ssh says: ssh -v {settings.login_options}",
        )
    return SSHError(
        f"{where} took the connection and closed it without a greeting: not an SSH server, or it blocks this address",
        "After failed logins, wait a minute; on the host: journalctl -u ssh (PerSourcePenalties, MaxStartups, "
        f"fail2ban, hosts.deny); {ANOTHER_PORT}",
    )


def nothing_shared(where: str, failure: NothingShared) -> Unsupported:
    what = f"{where} is incompatible with our SSH"
    offered = one_line(", ".join(failure.offered), LONGEST_OFFER)
    if failure.outdated:
        return Unsupported(
            f"{what}: all {failure.keyword} that it offers are outdated ({offered})",
            "Update the host's OpenSSH",
            failure.keyword,
            failure.offered,
        )
    return Unsupported(
        f"{what}: the {failure.keyword} that it offers ({offered or 'none'}) are not supported here",
        "Install OpenSSH's ssh here, of a version as new as the host's: it is used then; or have the host offer one of "
        f"these, too, in its sshd_config: {failure.keyword} {','.join(failure.ours)}",
        failure.keyword,
        failure.offered,
    )


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
    where = f"{settings.hostname} port {settings.port}"
    try:
        return jump.open_channel(
            "direct-tcpip",
            (settings.hostname, settings.port),
            ("127.0.0.1", 0),
            timeout=settings.connect_timeout,
        )
    except paramiko.ChannelException as exc:
        why = "forwarding is not allowed there" if exc.code == 1 else "it cannot be reached from there"
        raise NotForwarded(
            f"The jump host {jump_address} does not lead to {where}: {why}",
            f"On the jump host: nc -vz {settings.hostname} {settings.port}; AllowTcpForwarding in sshd_config",
        ) from exc
    except CONNECTION_ERRORS as exc:
        raise NotForwarded(
            f"The jump host {jump_address} does not lead to {where}: {failure_reason(exc)}",
            f"On the jump host: nc -vz {settings.hostname} {settings.port}",
        ) from exc


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
