"""Connect by paramiko: reach an SSH server, check its key by our pins, and log in."""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import time
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from machinectl.errors import Hint, MachineError, one_line
from machinectl.files.atomic import read_file
from machinectl.name_resolution import resolve
from machinectl.process_streams import find_program
from machinectl.ssh.connection_failures import (
    GREETING,
    advise_on_jump_host,
    connect_error,
    greeting_error,
    handshake_error,
    not_forwarded,
    place,
    unresolved,
)
from machinectl.ssh.keys.host_keys import HostKeyPolicy, HostKeys
from machinectl.ssh.keys.known_hosts import KEY_KINDS, HostKey, key_algorithms
from machinectl.ssh.native.native_login import FAILURES, NativeLogin, NoLogin, failure_reason
from machinectl.ssh.native.native_session import NativeSession, transport_of
from machinectl.ssh.session import SSHLogin
from machinectl.ssh.ssh_errors import HostKeyRefused, SSHError, Unsupported
from machinectl.ssh.ssh_settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.name_resolution import AddressInfo
    from machinectl.ssh.ssh_settings import Settings

# Without a handler, logging prints paramiko's tracebacks to stderr.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

# Seconds for an answer during the login: a host may query a directory server first, or delay a refusal.
AUTHENTICATION_TIMEOUT = 30.0
# RFC 4253 4.2, in bytes.
LONGEST_GREETING = 255
# Seconds between two looks at a greeting.
LOOK_SECONDS = 0.02


class ParamikoLogin(SSHLogin):
    def log_in(self) -> NativeSession:
        client = self._reach(self.settings, self.host_keys, NativeLogin(self.settings, self.credentials, self.console))
        pinned = self.host_keys.pinned
        return NativeSession(client=client, settings=self.settings, stack=self.stack, known_hosts=pinned)

    def check_key(self) -> None:
        self._reach(self.settings, self.host_keys, NoLogin())

    def _reach(self, chosen: Settings, judge: HostKeys, login: NoLogin, *, is_jump: bool = False) -> paramiko.SSHClient:
        """Connect, check the key by `judge`, and log in. Raises Unsupported for what only the system's ssh can do."""
        check_supported(chosen, is_jump=is_jump)
        # A jump host that is no machine shares the host's pins.
        aside = is_jump and judge is self.host_keys
        wanted = KEY_KINDS if judge.demanded(jump=aside) else [key_algorithms(judge.known_types(chosen, jump=aside))]
        check, refused = HostKeyCheck(judge, chosen, aside=aside), None
        for algorithms in wanted:
            try:
                return self._connect(chosen, check, algorithms, login)
            except HostKeyRefused as exc:
                # The host may have another key with the required fingerprint.
                refused = refused or exc
        raise refused or AssertionError

    def _connect(self, chosen: Settings, check: HostKeyCheck, algorithms: str, login: NoLogin) -> paramiko.SSHClient:
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(check)
        connection = self._socket(chosen)
        for each in (connection, client):
            self.stack.callback(each.close)
        begun = time.monotonic()
        try:
            client.connect(
                chosen.hostname,
                chosen.port,
                sock=connection,
                timeout=chosen.connect_timeout,
                banner_timeout=chosen.connect_timeout,
                auth_timeout=AUTHENTICATION_TIMEOUT,
                transport_factory=partial(new_transport, algorithms, self.stack),
                auth_strategy=login,
            )
        except MachineError:
            raise
        except IncompatiblePeer as exc:
            what = f"{place(chosen)} is incompatible with our SSH: {failure_reason(exc)}"
            raise Unsupported(what, openssh_hint()) from exc
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
        # The user's password is for the host, not for its jump host.
        login = NativeLogin(gate, self.credentials.for_jump(), self.console)
        try:
            transport = transport_of(self._reach(gate, judge, login, is_jump=True))
        except SSHError as exc:
            advise_on_jump_host(exc, gate, chosen.jump.machine)
            raise
        try:
            there = (chosen.hostname, chosen.port)
            return transport.open_channel("direct-tcpip", there, ("127.0.0.1", 0), timeout=chosen.connect_timeout)
        except FAILURES as exc:
            is_forbidden = isinstance(exc, paramiko.ChannelException) and exc.code == 1
            raise not_forwarded(chosen, gate.address, is_forbidden=is_forbidden) from exc


class HostKeyCheck(paramiko.MissingHostKeyPolicy):
    """Judges every key by our pins: paramiko's own list of known hosts stays empty."""

    def __init__(self, host_keys: HostKeys, settings: Settings, *, aside: bool) -> None:
        self._judge = partial(host_keys.check, settings, jump=aside)

    def missing_host_key(self, _client: paramiko.SSHClient, _hostname: str, key: paramiko.PKey) -> None:
        self._judge(HostKey(key.get_name(), key.asbytes()))


def new_transport(algorithms: str, stack: ExitStack, sock: Any, **options: Any) -> paramiko.Transport:
    """Ask for host keys of these algorithms first."""
    transport = paramiko.Transport(sock, **options)
    # The timer of an unfinished handshake would keep the process alive.
    stack.callback(transport.packetizer.complete_handshake)
    security = transport.get_security_options()
    first = [name for name in algorithms.split(",") if name in security.key_types]
    security.key_types = [*first, *(name for name in security.key_types if name not in first)]
    return transport


def check_supported(chosen: Settings, *, is_jump: bool) -> None:
    """Raises Unsupported for what only the system's ssh can do."""
    wanted = {
        "ProxyJump of your SSH configuration": chosen.proxy_jump,
        "ProxyCommand of your SSH configuration": chosen.proxy_command,
        "RevokedHostKeys of your SSH configuration": chosen.revoked_host_keys,
        "KnownHostsCommand of your SSH configuration": chosen.known_hosts_command,
        "a second jump host": is_jump and chosen.jump,
    }
    if missing := [what for what, value in wanted.items() if value]:
        what = f"{chosen.address} needs {missing[0]}, which --native-ssh does not support"
        raise Unsupported(what, openssh_hint())


def openssh_hint() -> Hint:
    return Hint(
        "Leave out --native-ssh: ssh does it" if find_program("ssh") else "Install the OpenSSH client, which does it"
    )


def connect_to_sshd(settings: Settings) -> socket.socket:
    """Try each address in turn, with its share of the time: one may drop packets. Raises SSHError."""
    addresses, failure = resolve_host(settings), None
    for family, kind, protocol, _, address in addresses:
        with ExitStack() as stack:
            connection = stack.enter_context(socket.socket(family, kind, protocol))
            connection.settimeout(settings.connect_timeout / len(addresses))
            try:
                connection.connect(address)
            except OSError as exc:
                failure = exc
                continue
            # Nagle's algorithm would delay commands, which are small packets.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stack.pop_all()
            return connection
    raise connect_error(settings, failure or TimeoutError()) from failure


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


def read_banner(sock: socket.socket, timeout: float) -> tuple[str, HostKey | None]:
    """Return "" and None for what does not arrive within `timeout` seconds. The key is verified."""
    with ExitStack() as stack:
        stack.callback(sock.close)
        transport = new_transport("", stack, sock)
        stack.callback(transport.close)
        key = None
        # paramiko raises whatever breaks in its thread.
        with contextlib.suppress(Exception):
            transport.start_client(timeout=timeout)
            shown = transport.get_remote_server_key()
            key = HostKey(shown.get_name(), shown.asbytes())
        return one_line(transport.remote_version, LONGEST_GREETING), key
