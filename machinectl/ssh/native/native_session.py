"""Connect and run commands over paramiko, by its public API alone (`--native-ssh`, no `ssh` here)."""

from __future__ import annotations

import contextlib
import logging
import selectors
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from machinectl.errors import Hint, MachineError, one_line
from machinectl.files.atomic import read_file
from machinectl.process_streams import CHUNK, GRACE, InputReader, Limits, find_program
from machinectl.ssh.connection_failures import (
    advise_on_jump_host,
    handshake_error,
    no_session,
    not_forwarded,
    place,
)
from machinectl.ssh.framing import LOGIN_COMMAND
from machinectl.ssh.keys.host_keys import HostKeyPolicy, HostKeys
from machinectl.ssh.keys.known_hosts import HostKey
from machinectl.ssh.native.native_login import FAILURES, NativeLogin, NoLogin, failure_reason
from machinectl.ssh.native.tcp_connection import LONGEST_GREETING, check_greeting, connect_to_sshd
from machinectl.ssh.runner import COMMAND_TIMEOUT
from machinectl.ssh.session import SSHSession, Transfer
from machinectl.ssh.ssh_errors import (
    ConnectionLost,
    HostKeyRefused,
    SSHError,
    Unsupported,
    command_timeout,
)
from machinectl.ssh.ssh_settings import read_settings

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Sequence

    from machinectl.console import Console
    from machinectl.process_streams import Stdin
    from machinectl.ssh.keys.credentials import Credentials
    from machinectl.ssh.ssh_settings import Settings

# Without a handler, logging prints paramiko's tracebacks to stderr.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

# The kinds of host keys. A user may know the fingerprint of any of them. An ssh-rsa key signs with SHA-2 (RFC 8332).
RSA = ["rsa-sha2-512", "rsa-sha2-256"]
KEY_KINDS = (["ssh-ed25519"], ["ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"], RSA)
# Seconds for an answer during the login: a host may query a directory server first, or delay a refusal.
AUTHENTICATION_TIMEOUT = 30.0
# paramiko wakes a thread that waits for a channel. If it misses one, the thread checks after this time. Seconds.
POLL = 1.0
# Seconds between two looks, and between attempts to open a session: a server with few may count one that ended.
LOOK_SECONDS = 0.01
PAUSES = (0.02, 0.1, 0.5)


def connect_natively(
    chosen: Settings, credentials: Credentials, host_keys: HostKeys, console: Console, trace: Any = None
) -> NativeSession:
    """Raises SSHError, or Unsupported for what only the system's ssh can do."""
    with ExitStack() as stack:
        login = NativeLogin(chosen, credentials, console)
        client = NativeConnector(stack, host_keys, credentials, console).reach(chosen, host_keys, login)
        pinned = host_keys.pinned
        return NativeSession(client=client, settings=chosen, stack=stack.pop_all(), known_hosts=pinned, trace=trace)


def check_key_natively(chosen: Settings, credentials: Credentials, host_keys: HostKeys, console: Console) -> None:
    """Check and pin the host's key without a login. Raises the same errors."""
    with ExitStack() as stack:
        NativeConnector(stack, host_keys, credentials, console).reach(chosen, host_keys, NoLogin())


class HostKeyCheck(paramiko.MissingHostKeyPolicy):
    """Judges every key by our pins: paramiko's own list of known hosts stays empty."""

    def __init__(self, host_keys: HostKeys, settings: Settings, *, aside: bool) -> None:
        self._judge = partial(host_keys.check, settings, jump=aside)

    def missing_host_key(self, _client: paramiko.SSHClient, _hostname: str, key: paramiko.PKey) -> None:
        self._judge(HostKey(key.get_name(), key.asbytes()))


def new_transport(types: Sequence[str], stack: ExitStack, sock: Any, **options: Any) -> paramiko.Transport:
    """Ask for these types of host keys first."""
    transport = paramiko.Transport(sock, **options)
    # The timer of an unfinished handshake would keep the process alive.
    stack.callback(transport.packetizer.complete_handshake)
    security = transport.get_security_options()
    first = [name for kind in types for name in (RSA if kind == "ssh-rsa" else [kind]) if name in security.key_types]
    security.key_types = [*first, *(name for name in security.key_types if name not in first)]
    return transport


@dataclass
class NativeConnector:
    """`stack` closes all connections; `host_keys` are the host's, also if a jump host is no machine."""

    stack: ExitStack
    host_keys: HostKeys
    credentials: Credentials
    console: Console

    def reach(self, chosen: Settings, judge: HostKeys, login: NoLogin, *, is_jump: bool = False) -> paramiko.SSHClient:
        """Connect, check the key, and log in. Raises SSHError."""
        check_supported(chosen, is_jump=is_jump)
        # A jump host that is no machine shares the host's pins.
        aside = is_jump and judge is self.host_keys
        wanted = KEY_KINDS if judge.demanded(jump=aside) else [judge.known_types(chosen, jump=aside)]
        check, refused = HostKeyCheck(judge, chosen, aside=aside), None
        for types in wanted:
            try:
                return self._connect(chosen, check, types, login)
            except HostKeyRefused as exc:
                # The host may have another key with the required fingerprint.
                refused = refused or exc
        raise refused or AssertionError

    def _connect(
        self, chosen: Settings, check: HostKeyCheck, types: Sequence[str], login: NoLogin
    ) -> paramiko.SSHClient:
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
                transport_factory=partial(new_transport, types, self.stack),
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
            transport = transport_of(self.reach(gate, judge, login, is_jump=True))
        except SSHError as exc:
            advise_on_jump_host(exc, gate, chosen.jump.machine)
            raise
        try:
            there = (chosen.hostname, chosen.port)
            return transport.open_channel("direct-tcpip", there, ("127.0.0.1", 0), timeout=chosen.connect_timeout)
        except FAILURES as exc:
            is_forbidden = isinstance(exc, paramiko.ChannelException) and exc.code == 1
            raise not_forwarded(chosen, gate.address, is_forbidden=is_forbidden) from exc


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


def transport_of(client: paramiko.SSHClient) -> paramiko.Transport:
    """Return the transport of a client that has connected."""
    return cast("paramiko.Transport", client.get_transport())


def native_session(session: SSHSession) -> NativeSession:
    """Raises SSHError for a session of the system's ssh."""
    if isinstance(session, NativeSession):
        return session
    raise SSHError(
        f"The system's ssh has logged in at {session.settings.address}", Hint("Run it again with --native-ssh")
    )


@dataclass(kw_only=True, eq=False, repr=False)
class NativeSession(SSHSession):
    client: paramiko.SSHClient

    def __post_init__(self) -> None:
        self._transport = transport_of(self.client)
        self._is_silent = False
        self._closed = threading.Event()
        self.stack.callback(self._closed.set)
        threading.Thread(target=self._keep_alive, daemon=True).start()

    def _keep_alive(self) -> None:
        """Close the connection if the server does not answer, as OpenSSH's ServerAliveInterval."""
        while not self._closed.wait(self.settings.alive_interval) and self._transport.is_active():
            # A server that does not know the request refuses it (RFC 4254 4), which is also an answer.
            ask = partial(self._transport.global_request, "keepalive@openssh.com")
            asking = threading.Thread(target=suppressed, args=(ask,), daemon=True)
            asking.start()
            asking.join(self.settings.patience)
            if asking.is_alive():
                self._is_silent = True
                self._transport.close()

    def open_channel(self) -> paramiko.Channel:
        for pause in (*PAUSES, None):
            try:
                return self._transport.open_session(timeout=COMMAND_TIMEOUT)
            except paramiko.ChannelException as exc:
                if pause is None:
                    raise no_session(self.settings) from exc
                time.sleep(pause)
            except FAILURES as exc:
                raise self._lost() from exc
        raise AssertionError

    def check_alive(self) -> None:
        """Raises ConnectionLost."""
        if not self._is_alive():
            raise self._lost()

    def exit_status(self, channel: paramiko.Channel) -> int:
        """Return 255 if the status is unknown."""
        self.check_alive()
        return channel.exit_status if channel.exit_status >= 0 else 255

    def _transfer(self, given: Transfer) -> int | None:
        limits = Limits(given.stop, given.timeout)
        start = partial(self._start, given.timeout or COMMAND_TIMEOUT)
        channel = given.stop.unless(start, close) if given.stop else start()
        if channel is None:
            return None
        feeder = ChannelFeeder(channel, given.stdin)
        try:
            return channel.exit_status if listen_to_channel(channel, given, feeder, limits) else None
        finally:
            feeder.close()

    def _start(self, timeout: float) -> paramiko.Channel:
        """Start LOGIN_COMMAND. Raises SSHError."""
        channel = self.open_channel()
        # paramiko waits for the answer without a limit.
        late = threading.Timer(timeout, close, [channel])
        late.daemon = True
        late.start()
        try:
            channel.exec_command(LOGIN_COMMAND)
        except FAILURES as exc:
            close(channel)
            if not late.is_alive():
                raise command_timeout(self.settings.address, timeout) from exc
            raise (no_session(self.settings) if self._is_alive() else self._lost()) from exc
        finally:
            late.cancel()
        return channel

    def _is_alive(self) -> bool:
        return self._transport.is_active()

    def _lost(self, why: str = "") -> ConnectionLost:
        silence = self.settings.silence if self._is_silent else ""
        return super()._lost(why or silence or failure_reason(self._transport.get_exception()))


class ChannelFeeder:
    """Sends a script's stdin in a thread: the script may end before it reads all of it."""

    def __init__(self, channel: paramiko.Channel, stdin: Stdin) -> None:
        self._channel = channel
        self._stdin = stdin
        self._reader = InputReader(stdin.input) if stdin.input else None
        # Whether to send what follows `first`.
        self.may_send_rest = threading.Event()
        self._is_closed = False
        # `send` waits no longer for the host's window.
        channel.settimeout(LOOK_SECONDS)
        self._thread = threading.Thread(target=suppressed, args=(self._send_all,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread first: data after the end of its channel would end the whole connection."""
        self._is_closed = True
        self.may_send_rest.set()
        if self._reader:
            self._reader.close()
        self._thread.join()
        close(self._channel)

    def _pieces(self) -> Iterator[bytes]:
        yield self._stdin.first
        self.may_send_rest.wait()
        yield self._stdin.data
        while self._reader and (data := self._reader.read()):
            yield data

    def _send_all(self) -> None:
        for data in self._pieces():
            sent = 0
            while sent < len(data) and not self._is_closed:
                with contextlib.suppress(TimeoutError):
                    sent += self._channel.send(data[sent : sent + CHUNK])
        if not self._is_closed:
            self._channel.shutdown_write()


def listen_to_channel(channel: paramiko.Channel, given: Transfer, feeder: ChannelFeeder, limits: Limits) -> bool:
    """Send the rest when the script is ready. At a limit, read a little longer, and return False."""
    streams = ((channel.recv_ready, channel.recv, False), (channel.recv_stderr_ready, channel.recv_stderr, True))
    with selectors.PollSelector() as selector:
        selector.register(channel, selectors.EVENT_READ)
        if limits.stop:
            selector.register(limits.stop, selectors.EVENT_READ)
        while True:
            is_over = channel.closed
            for is_there, receive, on_stderr in streams:
                if is_there():
                    is_over = given.output.take(receive(CHUNK), on_stderr)
                    break
            else:
                if not is_over:
                    patience = limits.select_timeout
                    most = GRACE / 10 if limits.is_ending else POLL
                    selector.select(most if patience is None else min(most, patience))
            if is_over:
                return not limits.is_ending
            if given.output.is_ready and not limits.is_ending:
                feeder.may_send_rest.set()
            if limits.is_stopped and not limits.start_ending(selector, given.end):
                return False


def close(channel: paramiko.Channel) -> None:
    suppressed(channel.close)


def suppressed(work: Any) -> None:
    """Call `work`; whoever reads finds out that a connection has ended."""
    with contextlib.suppress(*FAILURES, MachineError):
        work()


def read_banner(sock: socket.socket, timeout: float) -> tuple[str, HostKey | None]:
    """Return "" and None for what does not arrive within `timeout` seconds. The key is verified."""
    with ExitStack() as stack:
        stack.callback(sock.close)
        transport = new_transport((), stack, sock)
        stack.callback(transport.close)
        key = None
        # paramiko raises whatever breaks in its thread.
        with contextlib.suppress(Exception):
            transport.start_client(timeout=timeout)
            shown = transport.get_remote_server_key()
            key = HostKey(shown.get_name(), shown.asbytes())
        return one_line(transport.remote_version, LONGEST_GREETING), key
