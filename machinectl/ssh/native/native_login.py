"""Log in by paramiko's public API: reach an SSH server, check its key by our pins, then offer keys and a password."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko.auth_strategy import AuthResult, AuthSource, AuthStrategy, InMemoryPrivateKey, Password
from paramiko.ssh_exception import IncompatiblePeer

from machinectl.errors import Hint, MachineError, one_line
from machinectl.files.atomic import read_file
from machinectl.process_streams import find_program
from machinectl.ssh.connection_failures import (
    PASSWORD_METHODS,
    advise_on_jump_host,
    connect_error,
    cut_off,
    handshake_error,
    login_refused,
    lost_during_login,
    not_forwarded,
    place,
    unresolved,
)
from machinectl.ssh.keys.credentials import TRIES, ask_secret
from machinectl.ssh.keys.host_keys import HostKeyPolicy, HostKeys
from machinectl.ssh.keys.known_hosts import KEY_KINDS, HostKey, key_algorithms
from machinectl.ssh.keys.private_keys import NeedsPassphrase, load_key, read_public_key, unlocked
from machinectl.ssh.native.native_session import FAILURES, NativeSession, failure_reason, transport_of
from machinectl.ssh.session import SSHLogin
from machinectl.ssh.ssh_errors import HostKeyRefused, NoKey, SSHError, Unsupported
from machinectl.ssh.ssh_settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from machinectl.console import Console
    from machinectl.ssh.keys.credentials import Credentials
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
        self.stack.callback(connection.close)
        self.stack.callback(client.close)
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
            return connect_to_sshd(chosen)
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
    has_ssh = find_program("ssh")
    return Hint("Leave out --native-ssh: ssh does it" if has_ssh else "Install the OpenSSH client, which does it")


def connect_to_sshd(settings: Settings) -> socket.socket:
    """Raises SSHError."""
    try:
        return socket.create_connection((settings.hostname, settings.port), settings.connect_timeout)
    except (socket.gaierror, UnicodeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "one of its parts is empty, or too long"
        raise unresolved(settings, why or "no name server answers") from exc
    except OSError as exc:
        raise connect_error(settings, exc) from exc


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
    """Offers the agent's keys, those in files, and a password."""

    def __init__(self, settings: Settings, credentials: Credentials, console: Console) -> None:
        super().__init__()
        self._settings, self._credentials, self._console = settings, credentials, console
        # For the error message: the host's methods, what was tried, why a key could not be used.
        self._methods: list[str] = []
        self._tried: list[str] = []
        self._unused: list[str] = []
        self._is_active: Callable[[], bool] = lambda: False

    def authenticate(self, transport: paramiko.Transport) -> AuthResult:
        """Raises SSHError."""
        # As ServerAliveInterval does.
        transport.set_keepalive(int(self._settings.alive_interval))
        self._is_active, begun = transport.is_active, time.monotonic()
        with suppress(*FAILURES):
            try:
                # The refusal lists the host's methods.
                transport.auth_none(self._settings.user)
            except paramiko.BadAuthenticationType as exc:
                self._methods = exc.allowed_types
                AuthStrategy.authenticate(self, transport)
        if transport.is_authenticated():
            return AuthResult(self)
        if time.monotonic() - begun > AUTHENTICATION_TIMEOUT:
            raise lost_during_login(self._settings)
        if transport.is_active():
            raise login_refused(self._settings, self._tried, self._unused, self._methods)
        # `get_banner` returns it only while the connection is there.
        banner = getattr(transport.auth_handler, "banner", None) or b""
        raise cut_off(self._settings, self._tried, banner.decode(errors="replace"))

    def get_sources(self) -> Iterator[AuthSource]:
        user = self._settings.user
        if "publickey" in self._methods:
            with contextlib.closing(paramiko.Agent()) as agent:
                for label, key in self._keys(agent):
                    if not self._is_active():
                        return
                    self._tried.append(label)
                    yield InMemoryPrivateKey(user, key)
        if not (self._is_active() and set(PASSWORD_METHODS) & set(self._methods)):
            return
        given = self._credentials.password
        for _ in range(TRIES if given is None else 1):
            password = ask_secret(self._console, f"Password of {self._settings.login}") if given is None else given
            if password is None:
                return
            self._tried.append("the password typed" if given is None else "the password given")
            self._credentials.password = password
            yield Password(user, partial(str, password))
            self._credentials.password = given
            if given is None:
                self._console.warn(f"{self._settings.address} does not take that password")

    def _keys(self, agent: paramiko.Agent) -> Iterator[tuple[str, paramiko.PKey]]:
        """Yield keys of the agent first, those that are named first of all, and those with a passphrase last."""
        settings = self._settings
        files = {path: read_public_key(f"{path}.pub") or read_public_key(path) for path in settings.keys}
        named = {public.blob for public in files.values() if public}
        # paramiko asks no other agent.
        is_agents = settings.agent and settings.agent == os.environ.get("SSH_AUTH_SOCK")
        held = {key.blob: key for key in (agent.get_keys() if is_agents else ())}
        for blob in sorted(held, key=lambda each: each not in named):
            if blob in named or not settings.identities_only:
                yield f"the agent's {held[blob].comment or held[blob].get_name()}", held[blob]
        locked = []
        for path in [path for path, public in files.items() if not public or public.blob not in held]:
            try:
                yield path, load_key(path)
            except NeedsPassphrase:
                locked.append(path)
            except (FileNotFoundError, SSHError) as exc:
                self._skip(path, exc)
        for path in locked:
            try:
                yield path, unlocked(path, self._credentials, self._console, partial(load_key, path))
            except SSHError as exc:
                self._skip(path, exc)

    def _skip(self, path: str, failure: FileNotFoundError | SSHError) -> None:
        """Raises the error again if the user named the key."""
        if isinstance(failure, SSHError):
            self._unused.append(failure.cause)
        if self._settings.key_given:
            raise failure if isinstance(failure, SSHError) else NoKey(path)
