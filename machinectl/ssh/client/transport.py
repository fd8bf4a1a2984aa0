"""Fix paramiko's transport: lost answers, endless waits, forgotten messages."""

from __future__ import annotations

import logging
import math
import re
import threading
import time
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, cast

import paramiko
from paramiko.auth_handler import AuthOnlyHandler
from paramiko.common import (
    MSG_CHANNEL_CLOSE,
    MSG_CHANNEL_DATA,
    MSG_CHANNEL_EOF,
    MSG_CHANNEL_EXTENDED_DATA,
    MSG_CHANNEL_REQUEST,
    MSG_CHANNEL_WINDOW_ADJUST,
    cMSG_SERVICE_REQUEST,
)
from paramiko.kex_curve25519 import KexCurve25519
from paramiko.packet import Packetizer
from paramiko.ssh_exception import IncompatiblePeer
from paramiko.transport import ChannelMap, ServiceRequestingTransport

from machinectl.errors import MachineError
from machinectl.ssh.keys.known_hosts import HostKey
from machinectl.ssh.signals import status_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from _typeshed import ReadableBuffer as Buffer

# Without a handler, logging prints paramiko's tracebacks to stderr.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

# The exceptions that paramiko raises when a connection ends.
CONNECTION_ERRORS = (EOFError, OSError, paramiko.SSHException)
# RFC 8731's name; paramiko knows only libssh's.
CURVE25519 = "curve25519-sha256"
# paramiko prefers aes128-ctr, but ciphers that encrypt and authenticate in one pass take half the time.
FAST_CIPHERS = {"aes128-gcm@openssh.com", "aes256-gcm@openssh.com"}
# Key type in known_hosts -> algorithms (RFC 8332: an ssh-rsa key signs with SHA-2).
ALGORITHMS = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
# A server ends the connection if one of these follows the end of its channel.
CHANNEL_MESSAGES = {
    MSG_CHANNEL_CLOSE,
    MSG_CHANNEL_DATA,
    MSG_CHANNEL_EOF,
    MSG_CHANNEL_REQUEST,
    MSG_CHANNEL_WINDOW_ADJUST,
}
# paramiko's default, in seconds.
AUTHENTICATION_TIMEOUT = 30.0
# Time for all answers during a login, in seconds: sshd's LoginGraceTime.
LOGIN_TIMEOUT = 120.0
# How long a server may read nothing, in seconds. The keep-alive must find a dead server first.
SEND_TIMEOUT = 60.0
# Limits in bytes: a greeting with the lines before it (RFC 4253 4.2), and a packet (OpenSSH's PACKET_MAX_SIZE).
LONGEST_GREETING = 1 << 16
LONGEST_PACKET = 1 << 18
LONGEST_BANNER = 1 << 12
# A login asks a few questions, RFC 8308 defines five extensions, and an authentication method is a word.
MOST_QUESTIONS, MOST_PROMPTS, MOST_EXTENSIONS, MOST_METHODS = 16, 16, 64, 16
# Broken algorithms: only outdated software has nothing else.
OUTDATED = re.compile(r"sha1|md5|dss|^ssh-rsa$|group1-|arcfour|3des|blowfish|cast128|rijndael|-cbc|^none$")
RSA_CERTIFICATE, RSA_CERTIFICATE_BY_SHA2 = "ssh-rsa-cert-v01@openssh.com", "rsa-sha2-512-cert-v01@openssh.com"
METHOD = re.compile(r"[!-~]{1,64}")


class AuthenticationTimeout(Exception):
    """No answer to an authentication request."""


class NothingShared(IncompatiblePeer):
    """`keyword` is sshd_config's name for the kind of algorithm."""

    def __init__(self, keyword: str, offered: Sequence[str], ours: Sequence[str]) -> None:
        super().__init__(f"none of its {keyword} is spoken here")
        self.keyword = keyword
        self.offered = offered
        self.ours = ours

    @property
    def outdated(self) -> bool:
        """Whether the server is older than we are."""
        return bool(self.offered) and all(OUTDATED.search(name) for name in self.offered)


class ServerPackets(Packetizer):
    """Limits packets, and drops a server that reads nothing: paramiko's own blocks all senders forever."""

    # time.monotonic() of the last packet.
    heard = 0.0

    def __init__(self, sock: socket.socket | paramiko.Channel) -> None:
        super().__init__(cast("socket.socket", sock))
        self.greeting = b""
        self._sock = sock

    @property
    def first_line(self) -> str | None:
        return self.greeting.split(b"\n")[0].rstrip(b"\r").decode(errors="replace") if self.greeting else None

    def _read_timeout(self, _timeout: float) -> bytes:
        # `handshake` limits the time, even for slow lines.
        piece: bytes = super()._read_timeout(math.inf)  # type: ignore[misc]  # not in the stubs
        self.greeting += piece
        if len(self.greeting) > LONGEST_GREETING:
            raise paramiko.SSHException("its greeting has no end")
        return piece

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:
        if not 0 <= n <= LONGEST_PACKET:
            raise paramiko.SSHException("it sends no packets of SSH")
        return super().read_all(n, check_rekey)

    def write_all(self, out: Buffer) -> None:
        end = time.monotonic() + SEND_TIMEOUT
        left = bytes(out)
        while left:
            try:
                sent = self._sock.send(left)
            except TimeoutError:  # paramiko sets the socket's timeout to 0.1 s
                if self.closed:
                    raise EOFError from None
                if time.monotonic() > end:
                    raise paramiko.SSHException("it does not read what is sent") from None
            except OSError as exc:
                raise EOFError from exc
            else:
                if not sent:  # a closed channel of a jump host
                    raise EOFError
                left = left[sent:]
                end = time.monotonic() + SEND_TIMEOUT

    def close(self) -> None:
        # A jump host's channel sends a message here, and its connection may have ended.
        with suppress(EOFError, OSError):
            super().close()

    def read_message(self) -> tuple[int, paramiko.Message]:
        message = super().read_message()
        self.heard = time.monotonic()
        return message


class Authentication(AuthOnlyHandler):
    """Sends one request at a time (RFC 4252). `methods` is known after the first refusal."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self.methods: list[str] = []
        # The last banner since a request: it may explain a disconnect after the login (RFC 4252 5.4).
        self.said = ""
        self._accepted = False
        self._early = threading.Event()
        self._questions = 0
        self._left = LOGIN_TIMEOUT

    def _choose_fallback_pubkey_algorithm(self, key_type: str, my_algos: Sequence[str]) -> str:
        """Prefer SHA-2 (OpenSSH 7.2) if the server names nothing.

        OpenSSH 8.8 refuses the SHA-1 of paramiko before 4.
        """
        return next((name for name in my_algos if "sha2" in name), key_type)

    def _finalize_pubkey_algorithm(self, key_type: str) -> str:
        # paramiko 3 mistakes OpenSSH 10 for OpenSSH 1, which knew only SHA-1.
        if key_type == RSA_CERTIFICATE:
            return RSA_CERTIFICATE_BY_SHA2
        algorithm: str = super()._finalize_pubkey_algorithm(key_type)  # type: ignore[misc]  # not in the stubs
        return algorithm

    def would_accept(self, user: str, key: HostKey) -> bool:
        """Ask without a signature (RFC 4252 7), to avoid a useless passphrase prompt."""
        self._accepted = False

        def finish(message: paramiko.Message) -> None:
            message.add_boolean(False)
            message.add_string(ALGORITHMS.get(key.type, (key.type,))[0])
            message.add_string(key.blob)

        try:
            self.send_auth_request(user, "publickey", finish)
        except paramiko.AuthenticationException:
            if not self.transport.is_active():
                raise
        return self._accepted

    def send_auth_request(
        self,
        username: str,
        method: str,
        finish_message: Callable[[paramiko.Message], None] | None = lambda _: None,
    ) -> list[str]:
        # paramiko creates the event after it sends the request, and would lose a quick answer.
        self._early = self.auth_event = threading.Event()
        self.said = ""
        answer: list[str] = super().send_auth_request(username, method, finish_message)
        return answer

    def wait_for_response(self, event: threading.Event) -> list[str]:
        if self._early.is_set():
            event.set()
        begun = time.monotonic()
        # No limit while the server prompts the user.
        if self.auth_method != "keyboard-interactive":
            self.transport.auth_timeout = max(0.0, min(self.transport.auth_timeout, self._left))
        try:
            answer: list[str] = super().wait_for_response(event)
        except paramiko.AuthenticationException as exc:
            if event.is_set() or not self.transport.is_active():
                raise
            raise AuthenticationTimeout from exc
        finally:
            self._left -= time.monotonic() - begun
        return answer

    def _parse_userauth_failure(self, message: paramiko.Message) -> None:
        self.methods = [word for word in message.get_list()[:MOST_METHODS] if METHOD.fullmatch(word)]
        message.rewind()
        super()._parse_userauth_failure(message)  # type: ignore[misc]  # not in the stubs

    def _parse_userauth_banner(self, message: paramiko.Message) -> None:
        self.said = message.get_string()[:LONGEST_BANNER].decode(errors="replace")

    def _parse_userauth_info_request(self, message: paramiko.Message) -> None:
        # In public key authentication, the same number, 60, accepts a key.
        if self.auth_method != "publickey":
            self._questions += 1
            if self._questions > MOST_QUESTIONS or prompts_in(message) > MOST_PROMPTS:
                raise paramiko.SSHException("it asks questions without end")
            super()._parse_userauth_info_request(message)  # type: ignore[misc]  # not in the stubs
            return
        self._accepted = True
        if self.auth_event is not None:
            self.auth_event.set()


def prompts_in(message: paramiko.Message) -> int:
    """Count the prompts of an information request (RFC 4256 3.2)."""
    for _ in ("name", "instruction", "language"):
        message.get_string()
    number = message.get_int()
    message.rewind()
    return number


class Channels(ChannelMap):
    """Sets a channel's transport before adding it.

    paramiko does so after: if the connection ends in between, threads wait forever.
    """

    def __init__(self, transport: paramiko.Transport) -> None:
        super().__init__()
        self._transport = transport

    def put(self, chanid: int, chan: paramiko.Channel) -> None:
        chan._set_transport(self._transport)  # type: ignore[attr-defined]  # noqa: SLF001 (not in the stubs)
        super().put(chanid, chan)


class ChannelEvents(dict[int, threading.Event]):
    """Copies `values`: another thread may add an event during a loop."""

    def values(self) -> list[threading.Event]:  # type: ignore[override]  # a copy, not a view
        return list(super().values())


def note_signal(channel: paramiko.Channel, message: paramiko.Message) -> None:
    """Convert a signal (RFC 4254 6.10) to an exit status, as shells do."""
    request = paramiko.Message(message.get_remainder())
    if request.get_string() == b"exit-signal":
        request.get_boolean()
        channel.exit_status = status_of(request.get_string())
        channel.status_event.set()


def within_window(feed: Callable[[paramiko.Channel, paramiko.Message], None]) -> Callable[..., None]:
    """End the connection if a channel exceeds its window. paramiko does not check."""

    def take(channel: paramiko.Channel, message: paramiko.Message) -> None:
        feed(channel, message)
        if len(channel.in_buffer) + len(channel.in_stderr_buffer) > channel.in_window_size:
            raise paramiko.SSHException("it sends more than its window allows")

    return take


class Transport(ServiceRequestingTransport):
    def __init__(self, sock: socket.socket | paramiko.Channel, *, timeout: float) -> None:
        # The server's numbers of the channels that we closed.
        self._ended: set[int] = set()
        self._end: Exception | None = None
        self._sending = threading.Lock()
        # The host's key, or its certificate if we asked for one.
        self.shown_key = b""
        self._asks_for_certificates = False
        super().__init__(sock, packetizer_class=ServerPackets)
        self.packets = cast("ServerPackets", self.packetizer)
        self._channels = Channels(self)
        self.channel_events = ChannelEvents()
        handlers = self._channel_handler_table  # type: ignore[has-type]  # not in the stubs
        bounded = {kind: within_window(handlers[kind]) for kind in (MSG_CHANNEL_DATA, MSG_CHANNEL_EXTENDED_DATA)}

        def heed(channel: paramiko.Channel, message: paramiko.Message) -> None:
            note_signal(channel, message)
            handlers[MSG_CHANNEL_REQUEST](channel, message)

        self._channel_handler_table = {**handlers, **bounded, MSG_CHANNEL_REQUEST: heed}
        self._kex_info = {**self._kex_info, CURVE25519: KexCurve25519}  # type: ignore[has-type]  # not in the stubs
        self._preferred_kex = (*self._preferred_kex, CURVE25519)  # type: ignore[has-type]  # as above
        ciphers = self._preferred_ciphers  # type: ignore[has-type]  # as above
        self._preferred_ciphers = tuple(sorted(ciphers, key=lambda name: name not in FAST_CIPHERS))
        # `handshake` has a shorter timeout; paramiko's restarts with each part.
        self.handshake_timeout = timeout + SEND_TIMEOUT
        # A host may query a directory server first, and delays its answer to a wrong password.
        self.auth_timeout = max(timeout, AUTHENTICATION_TIMEOUT)

    @property
    def authentication(self) -> Authentication:
        """Starts on first use."""
        self.ensure_session()
        return cast("Authentication", self.auth_handler)

    def ensure_session(self) -> None:
        # paramiko polls for the service's acceptance every 0.1 s, and forever on a dead link. There is no need to wait:
        # the server reads the authentication request next.
        if self.auth_handler is None:
            request = paramiko.Message()
            request.add_byte(cMSG_SERVICE_REQUEST)
            request.add_string("ssh-userauth")
            self._send_message(request)
            self.auth_handler = Authentication(self)

    def get_exception(self) -> Exception | None:
        """Return what ended the connection, to every caller (paramiko: only the first).

        Returns errors of a login or channel only once.
        """
        found = super().get_exception()
        if found is None:
            return self._end
        if isinstance(found, paramiko.ChannelException | paramiko.AuthenticationException):
            return found
        if isinstance(found, paramiko.SSHException | EOFError | OSError | MachineError):
            self._end = found
        else:
            self._end = paramiko.SSHException("it sends broken packets")
            self._end.__cause__ = found
        return self._end

    def _parse_kex_init(self, message: paramiko.Message) -> None:
        try:
            super()._parse_kex_init(message)  # type: ignore[misc]  # not in the stubs
        except IncompatiblePeer:
            message.rewind()
            offer = self._really_parse_kex_init(message)  # type: ignore[attr-defined]  # not in the stubs
            for keyword, lists, ours in (
                ("KexAlgorithms", ("kex",), self.preferred_kex),
                ("HostKeyAlgorithms", ("server_key",), self.preferred_keys),
                ("Ciphers", ("client_encrypt", "server_encrypt"), self.preferred_ciphers),
                ("MACs", ("client_mac", "server_mac"), self.preferred_macs),
                ("Compression", ("client_compress", "server_compress"), self.preferred_compression),
            ):
                for name in lists:
                    offered = offer[f"{name}_algo_list"]
                    if not set(offered) & set(ours):
                        raise NothingShared(keyword, offered, ours) from None
            raise

    def _parse_ext_info(self, message: paramiko.Message) -> None:
        if message.get_int() > MOST_EXTENSIONS:
            raise paramiko.SSHException("it names extensions without end")
        message.rewind()
        super()._parse_ext_info(message)  # type: ignore[misc]  # not in the stubs
        for value in self.server_extensions.values():  # type: ignore[attr-defined]  # not in the stubs
            value.decode()  # fail here, not when a key is offered

    def _send_message(self, data: paramiko.Message) -> None:
        # paramiko sends a message after it releases the channel's lock. Data could follow the channel's end, and sshd
        # would end the whole connection.
        text = data.asbytes()
        kind, channel = text[0], int.from_bytes(text[1:5], "big")
        with self._sending:
            if kind in CHANNEL_MESSAGES and channel in self._ended:
                return
            if kind == MSG_CHANNEL_CLOSE:
                self._ended.add(channel)
            # The reader adjusts the window, and must get the data that arrived before the connection ended.
            with suppress(EOFError) if kind == MSG_CHANNEL_WINDOW_ADJUST else nullcontext():
                super()._send_message(data)  # type: ignore[misc]  # not in the stubs

    def _parse_channel_open_success(self, message: paramiko.Message) -> None:
        message.get_int()
        self._ended.discard(message.get_int())  # the server reuses its numbers
        message.rewind()
        super()._parse_channel_open_success(message)  # type: ignore[misc]  # not in the stubs

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        names = tuple(super().preferred_keys)
        return tuple(sorted(names, key=lambda name: "-cert-" not in name)) if self._asks_for_certificates else names

    def _verify_key(self, host_key: bytes, signature: bytes) -> None:
        super()._verify_key(host_key, signature)  # type: ignore[misc]  # not in the stubs
        self.shown_key = host_key

    def prefer(self, types: list[str], *, certificates: bool = False) -> None:
        """Prefer host keys of these types, or their certificates."""
        self._asks_for_certificates = certificates
        security = self.get_security_options()
        offered = list(security.key_types)
        first = [name for kind in types for name in ALGORITHMS.get(kind, (kind,)) if name in offered]
        security.key_types = [*first, *(name for name in offered if name not in first)]

    def server_host_key(self) -> HostKey:
        """Raises SSHException before the handshake."""
        key = self.get_remote_server_key()
        return HostKey(key.get_name(), key.asbytes())

    def close(self) -> None:
        with suppress(*CONNECTION_ERRORS):
            super().close()
        # The timer of an unfinished handshake would keep the process alive.
        self.packetizer.complete_handshake()


class KeepAlive:
    """Probes a silent server every `interval` seconds; disconnects after `count` probes without any packet.

    Like OpenSSH's ServerAliveInterval and ServerAliveCountMax. paramiko's own keep-alive waits for no answer.
    """

    def __init__(self, transport: Transport, interval: float, count: int) -> None:
        # Why the connection was closed, as a clause.
        self.verdict = ""
        self._transport = transport
        self._interval = interval
        self._count = count
        self._stopped = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _watch(self) -> None:
        unanswered, last = 0, 0.0
        while not self._stopped.wait(self._interval) and self._transport.is_active():
            heard = self._transport.packets.heard
            if heard >= last:
                unanswered = 0
            if unanswered == self._count:
                self.verdict = f"no sign of life for {time.monotonic() - heard:.0f} s"
                self._transport.close()
            elif unanswered or time.monotonic() - heard > self._interval / 2:
                unanswered, last = unanswered + 1, time.monotonic()
                threading.Thread(target=self._ask, daemon=True).start()

    def _ask(self) -> None:
        with suppress(*CONNECTION_ERRORS):
            # A server that does not know the request refuses it (RFC 4254 4), which is also an answer.
            self._transport.global_request("keepalive@openssh.com")
