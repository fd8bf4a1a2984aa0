"""Connect for the second way of SSH (`--native-ssh`, no `ssh` here): paramiko, by its public API alone."""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import paramiko

from machinectl.errors import MachineError, one_line
from machinectl.files.atomic import read_file
from machinectl.process_streams import find_program
from machinectl.ssh.client.connection_failures import (
    connect_to_sshd,
    greeting_error,
    handshake_error,
    not_forwarded,
    place,
)
from machinectl.ssh.client.native_login import FAILURES, NativeLogin, failure_reason
from machinectl.ssh.client.native_session import NativeSession, transport_of
from machinectl.ssh.keys.host_keys import HostKeyPolicy, HostKeys
from machinectl.ssh.keys.known_hosts import HostKey
from machinectl.ssh.ssh_errors import HostKeyRefused, LoginRefused, Unsupported
from machinectl.ssh.ssh_settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from machinectl.console import Console
    from machinectl.ssh.keys.credentials import Credentials
    from machinectl.ssh.ssh_settings import Settings

# Without a handler, logging prints paramiko's tracebacks to stderr.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

# The kinds of host keys. A user may know the fingerprint of any of them.
KEY_KINDS = (
    ["ssh-ed25519"],
    ["ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"],
    ["rsa-sha2-512", "rsa-sha2-256"],
)
GREETING = b"SSH-"
# RFC 4253 4.2, in bytes.
LONGEST_GREETING = 255
# Seconds for an answer during the login: a host may query a directory server first, or delay a refusal.
AUTHENTICATION_TIMEOUT = 30.0
# Seconds between two looks at a greeting.
LOOK_SECONDS = 0.02


def connect_natively(
    chosen: Settings,
    credentials: Credentials,
    host_keys: HostKeys,
    console: Console,
    trace: Callable[[str], None] | None,
) -> NativeSession:
    """Raises SSHError, or Unsupported for what only the system's ssh can do."""
    with ExitStack() as stack:
        client = NativeConnector(stack, host_keys, credentials, console).reach(chosen, host_keys)
        return NativeSession(
            client=client, settings=chosen, stack=stack.pop_all(), known_hosts=host_keys.pinned, trace=trace
        )


def check_key_natively(chosen: Settings, credentials: Credentials, host_keys: HostKeys, console: Console) -> None:
    """Check and pin the host's key without a login. Raises the same errors."""
    with ExitStack() as stack:
        NativeConnector(stack, host_keys, credentials, console).reach(chosen, host_keys, logs_in=False)


class HostKeyCheck(paramiko.MissingHostKeyPolicy):
    """Judges every key by our pins: paramiko's own list of known hosts stays empty."""

    def __init__(self, host_keys: HostKeys, settings: Settings, *, aside: bool) -> None:
        self._judge = partial(host_keys.check, settings, jump=aside)

    def missing_host_key(self, _client: paramiko.SSHClient, _hostname: str, key: paramiko.PKey) -> None:
        self._judge(HostKey(key.get_name(), key.asbytes()))


class OwnLogin(paramiko.auth_strategy.AuthStrategy):
    """Has SSHClient call our login, or none to check only the host's key."""

    def __init__(self, log_in: Callable[[paramiko.Transport], None]) -> None:
        super().__init__(paramiko.SSHConfig())
        self._log_in = log_in

    def get_sources(self) -> Iterator[Any]:
        return iter(())

    def authenticate(self, transport: paramiko.Transport) -> list[Any]:
        self._log_in(transport)
        return []


@dataclass
class NativeConnector:
    """`stack` closes all connections; `host_keys` are the host's, also if a jump host is no machine."""

    stack: ExitStack
    host_keys: HostKeys
    credentials: Credentials
    console: Console

    def reach(
        self, chosen: Settings, judge: HostKeys, *, is_jump: bool = False, logs_in: bool = True
    ) -> paramiko.SSHClient:
        """Connect, check the key, and log in. `is_jump` is a jump host; it gets no password."""
        check_supported(chosen, is_jump=is_jump)
        # A jump host that is no machine shares the host's pins.
        aside = is_jump and judge is self.host_keys
        credentials = self.credentials.for_jump() if is_jump else self.credentials

        def log_in(transport: paramiko.Transport) -> None:
            if logs_in:
                NativeLogin(transport, chosen, credentials, self.console).run()

        wanted = KEY_KINDS if judge.demanded(jump=aside) else [judge.known_types(chosen, jump=aside)]
        check, refused = HostKeyCheck(judge, chosen, aside=aside), None
        for types in wanted:
            try:
                return self._connect(chosen, check, types, OwnLogin(log_in))
            except HostKeyRefused as exc:
                # The host may have another key with the required fingerprint.
                refused = refused or exc
        raise refused or AssertionError

    def _connect(
        self, chosen: Settings, check: HostKeyCheck, types: Sequence[str], login: OwnLogin
    ) -> paramiko.SSHClient:
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(check)
        connection = self._socket(chosen)
        self.stack.callback(connection.close)
        self.stack.callback(client.close)

        def prepare(sock: Any, **options: Any) -> paramiko.Transport:
            transport = paramiko.Transport(sock, **options)
            # The timer of an unfinished handshake would keep the process alive.
            self.stack.callback(transport.packetizer.complete_handshake)
            security = transport.get_security_options()
            # An ssh-rsa key signs with SHA-2 (RFC 8332).
            first = [each for kind in types for each in (KEY_KINDS[2] if kind == "ssh-rsa" else [kind])]
            rest = [each for each in security.key_types if each not in first]
            security.key_types = [*(each for each in first if each in security.key_types), *rest]
            return transport

        begun = time.monotonic()
        try:
            client.connect(
                chosen.hostname,
                chosen.port,
                sock=connection,
                timeout=chosen.connect_timeout,
                banner_timeout=chosen.connect_timeout,
                auth_timeout=AUTHENTICATION_TIMEOUT,
                transport_factory=prepare,
                auth_strategy=login,
            )
        except MachineError:
            raise
        except paramiko.ssh_exception.IncompatiblePeer as exc:
            raise Unsupported(
                f"{place(chosen)} is incompatible with our SSH: {failure_reason(exc)}", openssh_hint()
            ) from exc
        except Exception as exc:
            is_late = time.monotonic() - begun > chosen.connect_timeout
            raise handshake_error(chosen, "" if is_late else failure_reason(exc)) from exc
        return client

    def _socket(self, chosen: Settings) -> socket.socket | paramiko.Channel:
        if chosen.jump is None:
            connection = connect_to_sshd(chosen)
            self.stack.callback(connection.close)
            check_greeting(connection, chosen)
            return connection
        gate, judge = read_settings(chosen.jump.endpoint), self.host_keys
        if chosen.jump.machine:
            policy = HostKeyPolicy(read_file(chosen.jump.known_hosts), machine=chosen.jump.machine)
            judge = HostKeys(policy, self.console)
        try:
            transport = transport_of(self.reach(gate, judge, is_jump=True))
        except LoginRefused as exc:
            # The user's key and password are for the host, not for jump hosts.
            exc.hint = f"It is a jump host. Try: ssh {gate.login_options}"
            if chosen.jump.machine:
                exc.hint = f"It is a jump host. See why: machinectl doctor {chosen.jump.machine}"
            raise
        try:
            return transport.open_channel(
                "direct-tcpip", (chosen.hostname, chosen.port), ("127.0.0.1", 0), timeout=chosen.connect_timeout
            )
        except paramiko.ChannelException as exc:
            why = "forwarding is not allowed there" if exc.code == 1 else "it cannot be reached from there"
            raise not_forwarded(chosen, gate.address, why, check_sshd=True) from exc
        except FAILURES as exc:
            raise not_forwarded(chosen, gate.address, failure_reason(exc)) from exc


def check_supported(chosen: Settings, *, is_jump: bool) -> None:
    """Raises Unsupported for what only the system's ssh can do."""
    configured = {
        "ProxyJump": chosen.proxy_jump,
        "ProxyCommand": chosen.proxy_command,
        "RevokedHostKeys": chosen.revoked_host_keys,
        "KnownHostsCommand": chosen.known_hosts_command,
    }
    wanted = [f"{keyword} of your SSH configuration" for keyword, value in configured.items() if value]
    if is_jump and chosen.jump:
        wanted.append("a second jump host")
    if wanted:
        what = f"{chosen.address} needs {wanted[0]}, which --native-ssh does not support"
        raise Unsupported(what, openssh_hint())


def openssh_hint() -> str:
    return "Leave out --native-ssh: ssh does it" if find_program("ssh") else "Install the OpenSSH client: it does it"


def check_greeting(connection: socket.socket, chosen: Settings) -> None:
    """Raises SSHError unless a server of SSH greets. Leaves its greeting unread."""
    deadline = time.monotonic() + chosen.connect_timeout
    said = b""
    while (left := deadline - time.monotonic()) > 0 and select.select([connection], [], [], left)[0]:
        try:
            said = connection.recv(LONGEST_GREETING, socket.MSG_PEEK)
        except OSError:
            said = b""
        if said.startswith(GREETING):
            return
        if not said or not GREETING.startswith(said):
            raise greeting_error(chosen, said.split(b"\n")[0].rstrip(b"\r").decode(errors="replace") if said else None)
        time.sleep(LOOK_SECONDS)
    raise greeting_error(chosen, said.decode() or None, is_late=True)


def read_banner(sock: socket.socket, timeout: float) -> tuple[str, HostKey | None]:
    """Return "" and None for what does not arrive within `timeout` seconds. The key is verified."""
    transport = paramiko.Transport(sock)
    key = None
    # paramiko raises whatever breaks in its thread.
    with contextlib.suppress(Exception):
        transport.start_client(timeout=timeout)
        shown = transport.get_remote_server_key()
        key = HostKey(shown.get_name(), shown.asbytes())
    transport.packetizer.complete_handshake()
    transport.close()
    sock.close()
    return one_line(transport.remote_version, LONGEST_GREETING), key
