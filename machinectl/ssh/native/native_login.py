"""Log in by paramiko's public API: check the host's key by our pins, then offer keys and a password."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko.auth_strategy import AuthResult, AuthSource, AuthStrategy
from paramiko.ssh_exception import IncompatiblePeer, NoValidConnectionsError

from machinectl.errors import Hint, MachineError, one_line
from machinectl.files.atomic import read_file
from machinectl.process_streams import find_program
from machinectl.ssh.keys.credentials import TRIES, ask_secret
from machinectl.ssh.keys.host_keys import HostKeyPolicy, HostKeys
from machinectl.ssh.keys.known_hosts import KEY_KINDS, HostKey, key_algorithms
from machinectl.ssh.keys.private_keys import is_locked, load_key, read_public_key, unlocked
from machinectl.ssh.native.native_session import FAILURES, NativeSession, failure_reason, transport_of
from machinectl.ssh.session import SSHLogin
from machinectl.ssh.ssh_errors import (
    PASSWORD_METHODS,
    HostKeyRefused,
    NoKey,
    SSHError,
    Unsupported,
    advise_on_jump_host,
    connect_error,
    cut_off,
    greeting_error,
    login_error,
    login_refused,
    not_forwarded,
    place,
    unresolved,
)
from machinectl.ssh.ssh_settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from machinectl.console import Console
    from machinectl.ssh.destination import Settings
    from machinectl.ssh.keys.credentials import Credentials

# Without a handler, logging prints paramiko's tracebacks to stderr.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

# Seconds for an answer during the login: a host may query a directory server first, or delay a refusal.
AUTHENTICATION_TIMEOUT = 30.0
# RFC 4253 4.2, in bytes.
LONGEST_GREETING = 255


class ParamikoLogin(SSHLogin):
    def log_in(self) -> NativeSession:
        client = self._reach(self.settings, self.host_keys, NativeLogin(self.settings, self.credentials, self.console))
        pinned = self.host_keys.pinned
        return NativeSession(client=client, settings=self.settings, stack=self.stack, known_hosts=pinned)

    def check_key(self) -> None:
        self._reach(self.settings, self.host_keys, NoLogin())

    def _reach(self, chosen: Settings, judge: HostKeys, login: NoLogin, *, is_jump: bool = False) -> paramiko.SSHClient:
        """Connect, check the key by `judge`, and log in. Raises Unsupported for what only the system's ssh can do."""
        own = (chosen.proxy_jump, chosen.proxy_command, chosen.revoked_host_keys, chosen.known_hosts_command)
        if any(own) or (is_jump and chosen.jump):
            what = "at most one jump host, and no ProxyJump, ProxyCommand, RevokedHostKeys or KnownHostsCommand"
            raise Unsupported(f"--native-ssh cannot log in at {chosen.address}: it supports {what}", openssh_hint())
        # A jump host that is no machine shares the host's pins.
        aside = is_jump and judge is self.host_keys
        wanted = KEY_KINDS if judge.demanded(jump=aside) else [key_algorithms(judge.known_types(chosen, jump=aside))]
        refused = None
        for algorithms in wanted:
            try:
                return self._connect(chosen, HostKeyCheck(judge, chosen, aside=aside), algorithms, login)
            except HostKeyRefused as exc:
                # The host may have another key with the required fingerprint.
                refused = refused or exc
        raise refused or AssertionError

    def _connect(self, chosen: Settings, check: HostKeyCheck, algorithms: str, login: NoLogin) -> paramiko.SSHClient:
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(check)
        channel = self._channel(chosen)
        self.stack.callback(client.close)
        begun = time.monotonic()
        try:
            client.connect(
                chosen.hostname,
                chosen.port,
                sock=channel,
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
            transport = client.get_transport()
            if transport is None:
                raise unconnected(chosen, exc) from exc
            if not transport.remote_version:
                raise greeting_error(chosen, None, is_late=is_late) from exc
            raise login_error(chosen, "" if is_late else failure_reason(exc)) from exc
        notice_silence(transport_of(client), chosen)
        return client

    def _channel(self, chosen: Settings) -> paramiko.Channel | None:
        """Return the way through the jump host, None without one."""
        if chosen.jump is None:
            return None
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
            target = (chosen.hostname, chosen.port)
            return transport.open_channel("direct-tcpip", target, ("127.0.0.1", 0), timeout=chosen.connect_timeout)
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
    if isinstance(sock, socket.socket):
        # Nagle's algorithm would delay commands, which are small packets.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    transport = paramiko.Transport(sock, **options)
    # The timer of an unfinished handshake would keep the process alive.
    stack.callback(transport.packetizer.complete_handshake)
    security = transport.get_security_options()
    first = [name for name in algorithms.split(",") if name in security.key_types]
    security.key_types = [*first, *(name for name in security.key_types if name not in first)]
    return transport


def notice_silence(transport: paramiko.Transport, settings: Settings) -> None:
    """Let the system end a connection without answers, as OpenSSH's ServerAliveInterval does (tcp(7); Linux only)."""
    seconds = max(1, int(settings.alive_interval))
    transport.set_keepalive(seconds)
    if isinstance(transport.sock, socket.socket) and hasattr(socket, "TCP_USER_TIMEOUT"):
        limit = seconds * max(1, settings.alive_count) * 1000
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, limit)


def openssh_hint() -> Hint:
    has_ssh = find_program("ssh")
    return Hint("Leave out --native-ssh: ssh does it" if has_ssh else "Install the OpenSSH client, which does it")


def unconnected(settings: Settings, failure: Exception) -> SSHError:
    if isinstance(failure, NoValidConnectionsError):
        failure = next(iter(failure.errors.values()))
    if isinstance(failure, OSError) and not isinstance(failure, socket.gaierror):
        return connect_error(settings, failure)
    why = failure.strerror if isinstance(failure, OSError) else "one of its parts is empty, or too long"
    return unresolved(settings, why or "no name server answers")


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


class NoLogin(AuthStrategy):
    """Checks only the host's key."""

    def __init__(self) -> None:
        super().__init__(paramiko.SSHConfig())

    def get_sources(self) -> Iterator[AuthSource]:
        return iter(())

    def authenticate(self, transport: paramiko.Transport) -> AuthResult:  # noqa: ARG002 - paramiko names it
        return AuthResult(self)


class NativeLogin(NoLogin):
    """Takes one step after the other, until the host is satisfied (RFC 4252 5.1): paramiko's own stops at the first."""

    def __init__(self, settings: Settings, credentials: Credentials, console: Console) -> None:
        super().__init__()
        self._settings, self._credentials, self._console = settings, credentials, console
        # What the host accepts next; for the error message, what was tried, and why a key could not be used.
        self._methods: list[str] = []
        self._tried: list[str] = []
        self._unused: list[str] = []

    def authenticate(self, transport: paramiko.Transport) -> AuthResult:
        """Raises SSHError."""
        with contextlib.closing(paramiko.Agent()) as agent:
            for request in self._requests(transport, agent):
                try:
                    self._methods = request(self._settings.user) or self._methods
                except paramiko.BadAuthenticationType as exc:
                    self._methods = list(exc.allowed_types)
                except paramiko.AuthenticationException as exc:
                    if not transport.is_active():
                        # `get_banner` returns it only while the connection is there.
                        banner = getattr(transport.auth_handler, "banner", None) or b""
                        raise cut_off(self._settings, self._tried, banner.decode(errors="replace")) from exc
                if transport.is_authenticated():
                    return AuthResult(self)
        raise login_refused(self._settings, self._tried, self._unused, self._methods)

    def _requests(self, transport: paramiko.Transport, agent: paramiko.Agent) -> Iterator[Callable[[str], list[str]]]:
        # The refusal lists the host's methods.
        yield transport.auth_none
        for label, key in self._keys(agent) if "publickey" in self._methods else ():
            self._tried.append(label)
            yield partial(transport.auth_publickey, key=key)
            if "publickey" not in self._methods:
                break
        given = self._credentials.password
        for _ in range(TRIES if given is None else 1):
            if not set(PASSWORD_METHODS) & set(self._methods):
                return
            password = ask_secret(self._console, f"Password of {self._settings.login}") if given is None else given
            if password is None:
                return
            self._tried.append("the password typed" if given is None else "the password given")
            self._credentials.password = password
            yield partial(transport.auth_password, password=password)
            self._credentials.password = given
            if given is None:
                self._console.warn(f"{self._settings.address} does not take that password")

    def _keys(self, agent: paramiko.Agent) -> Iterator[tuple[str, paramiko.PKey]]:
        """Yield keys of the agent first, and those with a passphrase last."""
        settings = self._settings
        files = {path: read_public_key(f"{path}.pub") or read_public_key(path) for path in settings.keys}
        named = {public.blob for public in files.values() if public}
        # paramiko asks no other agent.
        is_agents = settings.agent and settings.agent == os.environ.get("SSH_AUTH_SOCK")
        held = {key.blob: key for key in (agent.get_keys() if is_agents else ())}
        for blob, key in held.items():
            if blob in named or not settings.identities_only:
                yield f"the agent's {key.comment or key.get_name()}", key
        for path in sorted(
            [path for path, public in files.items() if not public or public.blob not in held], key=is_locked
        ):
            try:
                if is_locked(path):
                    yield path, unlocked(path, self._credentials, self._console, partial(load_key, path))
                else:
                    yield path, load_key(path)
            except (FileNotFoundError, SSHError) as exc:
                if settings.key_given:
                    raise exc if isinstance(exc, SSHError) else NoKey(path) from exc
                if isinstance(exc, SSHError):
                    self._unused.append(exc.cause)
