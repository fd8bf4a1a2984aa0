"""paramiko's transport, fixed where it loses an answer, waits for ever, or forgets what the server said."""

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
from machinectl.ssh.signals import status_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from _typeshed import ReadableBuffer as Buffer

    from machinectl.ssh.keys.known_hosts import HostKey

# Without a handler, logging's last resort prints paramiko's tracebacks to stderr.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

# The name of RFC 8731; paramiko knows only libssh's.
CURVE25519 = "curve25519-sha256"
# Ciphers that encrypt and authenticate in one pass take half the time in paramiko, which prefers aes128-ctr.
FAST_CIPHERS = {"aes128-gcm@openssh.com", "aes256-gcm@openssh.com"}
# The algorithms of a key type in known_hosts (RFC 8332: an ssh-rsa key signs with SHA-2).
ALGORITHMS = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
# After the channel's end, a server ends the connection at any of these.
CHANNEL_MESSAGES = {
    MSG_CHANNEL_CLOSE,
    MSG_CHANNEL_DATA,
    MSG_CHANNEL_EOF,
    MSG_CHANNEL_REQUEST,
    MSG_CHANNEL_WINDOW_ADJUST,
}
# paramiko's own, in seconds.
AUTHENTICATION_TIMEOUT = 30.0
# The time for all answers during a login: sshd's LoginGraceTime. Seconds.
LOGIN_TIMEOUT = 120.0
# How long a server may read nothing; longer than the keep-alive needs to find it dead. Seconds.
SEND_TIMEOUT = 60.0
# A greeting, with the lines that may come before it (RFC 4253 4.2), and a packet (OpenSSH's PACKET_MAX_SIZE), in bytes.
LONGEST_GREETING = 1 << 16
LONGEST_PACKET = 1 << 18
LONGEST_BANNER = 1 << 12
# One login asks a few times for a few things; RFC 8308 knows five extensions; an authentication method is a word.
MOST_QUESTIONS, MOST_PROMPTS, MOST_EXTENSIONS, MOST_METHODS = 16, 16, 64, 16
# Broken algorithms: only outdated software has no others.
OUTDATED = re.compile(r"sha1|md5|dss|^ssh-rsa$|group1-|arcfour|3des|blowfish|cast128|rijndael|-cbc|^none$")
RSA_CERTIFICATE, RSA_CERTIFICATE_BY_SHA2 = "ssh-rsa-cert-v01@openssh.com", "rsa-sha2-512-cert-v01@openssh.com"
METHOD = re.compile(r"[!-~]{1,64}")


class AuthenticationTimeout(Exception):
    """The server did not answer a request for authentication."""


class NothingShared(IncompatiblePeer):
    """The server and we share no algorithm of a kind, which is named by its keyword of sshd_config."""

    def __init__(self, keyword: str, offered: Sequence[str], ours: Sequence[str]) -> None:
        super().__init__(f"none of its {keyword} is spoken here")
        self.keyword = keyword
        self.offered = offered
        self.ours = ours

    @property
    def outdated(self) -> bool:
        """Return whether all that the server offers is outdated: it is older than this side, not newer."""
        return bool(self.offered) and all(OUTDATED.search(name) for name in self.offered)


class ServerPackets(Packetizer):
    """Limits packets, gives up on a server that reads nothing, and remembers its first line and its last packet.

    paramiko's own waits for ever while sending, and all other senders with it.
    """

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
        # `handshake` has its own timeout, however slowly lines come.
        piece: bytes = super()._read_timeout(math.inf)  # type: ignore[misc]  # the stubs leave it out
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
            except TimeoutError:  # paramiko has given the socket 0.1 s
                if self.closed:
                    raise EOFError from None
                if time.monotonic() > end:
                    raise paramiko.SSHException("it does not read what is sent") from None
            except OSError as exc:
                raise EOFError from exc
            else:
                if not sent:  # a jump host's channel that was closed
                    raise EOFError
                left = left[sent:]
                end = time.monotonic() + SEND_TIMEOUT

    def close(self) -> None:
        # Through a jump host, this sends a message over a connection that may have ended before.
        with suppress(EOFError, OSError):
            super().close()

    def read_message(self) -> tuple[int, paramiko.Message]:
        message = super().read_message()
        self.heard = time.monotonic()
        return message


class Authentication(AuthOnlyHandler):
    """Authentication requests one after the other (RFC 4252).

    `methods` are those that the server accepts, known after its first refusal.
    """

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self.methods: list[str] = []
        # The last banner since a request: it may say why a granted login ends (RFC 4252 5.4).
        self.said = ""
        self._accepted = False
        self._early = threading.Event()
        self._questions = 0
        self._left = LOGIN_TIMEOUT

    def _choose_fallback_pubkey_algorithm(self, key_type: str, my_algos: Sequence[str]) -> str:
        """Return the signature for an RSA key if the server has not named any (paramiko before 4).

        paramiko chooses SHA-1, which servers refuse since OpenSSH 8.8; SHA-2 came with 7.2.
        """
        return next((name for name in my_algos if "sha2" in name), key_type)

    def _finalize_pubkey_algorithm(self, key_type: str) -> str:
        # paramiko 3 takes OpenSSH 10 for OpenSSH 1, which knew only SHA-1.
        if key_type == RSA_CERTIFICATE:
            return RSA_CERTIFICATE_BY_SHA2
        algorithm: str = super()._finalize_pubkey_algorithm(key_type)  # type: ignore[misc]  # the stubs leave it out
        return algorithm

    def would_accept(self, user: str, key: HostKey) -> bool:
        """Ask whether the server would accept a public key (RFC 4252 7), before we ask for a passphrase."""
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
        # paramiko makes the event after it has sent the request: a quick answer would be lost.
        self._early = self.auth_event = threading.Event()
        self.said = ""
        answer: list[str] = super().send_auth_request(username, method, finish_message)
        return answer

    def wait_for_response(self, event: threading.Event) -> list[str]:
        if self._early.is_set():
            event.set()
        begun = time.monotonic()
        # While the server asks a person, there is no limit for the server.
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
        super()._parse_userauth_failure(message)  # type: ignore[misc]  # the stubs leave it out

    def _parse_userauth_banner(self, message: paramiko.Message) -> None:
        self.said = message.get_string()[:LONGEST_BANNER].decode(errors="replace")

    def _parse_userauth_info_request(self, message: paramiko.Message) -> None:
        # The same number, 60, is "this public key would do" after a question about a key.
        if self.auth_method != "publickey":
            self._questions += 1
            if self._questions > MOST_QUESTIONS or prompts_in(message) > MOST_PROMPTS:
                raise paramiko.SSHException("it asks questions without end")
            super()._parse_userauth_info_request(message)  # type: ignore[misc]  # the stubs leave it out
            return
        self._accepted = True
        if self.auth_event is not None:
            self.auth_event.set()


def prompts_in(message: paramiko.Message) -> int:
    """Return the number of prompts in a request for information (RFC 4256 3.2)."""
    for _ in ("name", "instruction", "language"):
        message.get_string()
    number = message.get_int()
    message.rewind()
    return number


class Channels(ChannelMap):
    """The open channels of a transport.

    paramiko adds a channel before it knows its transport. If the connection ends in between, closing the channels fails
    there, and threads that wait for the others wait for ever.
    """

    def __init__(self, transport: paramiko.Transport) -> None:
        super().__init__()
        self._transport = transport

    def put(self, chanid: int, chan: paramiko.Channel) -> None:
        chan._set_transport(self._transport)  # type: ignore[attr-defined]  # noqa: SLF001 (the stubs leave it out)
        super().put(chanid, chan)


class ChannelEvents(dict[int, threading.Event]):
    """The events of threads that open a channel: one may be added while the end of the connection sets all."""

    def values(self) -> list[threading.Event]:  # type: ignore[override]  # a copy, not a view
        return list(super().values())


def note_signal(channel: paramiko.Channel, message: paramiko.Message) -> None:
    """Convert the signal that ended a command (RFC 4254 6.10) to an exit status, as a shell does."""
    request = paramiko.Message(message.get_remainder())
    if request.get_string() == b"exit-signal":
        request.get_boolean()
        channel.exit_status = status_of(request.get_string())
        channel.status_event.set()


def within_window(feed: Callable[[paramiko.Channel, paramiko.Message], None]) -> Callable[..., None]:
    """End the connection if a channel gets more than its window allows, which paramiko does not check."""

    def take(channel: paramiko.Channel, message: paramiko.Message) -> None:
        feed(channel, message)
        if len(channel.in_buffer) + len(channel.in_stderr_buffer) > channel.in_window_size:
            raise paramiko.SSHException("it sends more than its window allows")

    return take


class Transport(ServiceRequestingTransport):
    """One SSH connection over a socket or over a jump host's channel."""

    def __init__(self, sock: socket.socket | paramiko.Channel, *, timeout: float) -> None:
        # The server's numbers of channels that we have closed.
        self._ended: set[int] = set()
        self._end: Exception | None = None
        self._sending = threading.Lock()
        # The host's key, or its certificate if one was requested.
        self.shown_key = b""
        self._asks_for_certificates = False
        super().__init__(sock, packetizer_class=ServerPackets)
        self._channels = Channels(self)
        self.channel_events = ChannelEvents()
        handlers = self._channel_handler_table  # type: ignore[has-type]  # the stubs leave it out
        bounded = {kind: within_window(handlers[kind]) for kind in (MSG_CHANNEL_DATA, MSG_CHANNEL_EXTENDED_DATA)}

        def heed(channel: paramiko.Channel, message: paramiko.Message) -> None:
            note_signal(channel, message)
            handlers[MSG_CHANNEL_REQUEST](channel, message)

        self._channel_handler_table = {**handlers, **bounded, MSG_CHANNEL_REQUEST: heed}
        self._kex_info = {**self._kex_info, CURVE25519: KexCurve25519}  # type: ignore[has-type]  # the stubs leave it out
        self._preferred_kex = (*self._preferred_kex, CURVE25519)  # type: ignore[has-type]  # as above
        ciphers = self._preferred_ciphers  # type: ignore[has-type]  # as above
        self._preferred_ciphers = tuple(sorted(ciphers, key=lambda name: name not in FAST_CIPHERS))
        # `handshake` has a shorter timeout; paramiko's begins anew with each part.
        self.handshake_timeout = timeout + SEND_TIMEOUT
        # A host may ask a directory server first, and delays its answer to a wrong password.
        self.auth_timeout = max(timeout, AUTHENTICATION_TIMEOUT)

    @property
    def first_line(self) -> str | None:
        """Return the first line of the other side, None if none came."""
        return self._listener.first_line

    @property
    def heard(self) -> float:
        """Return when the server last sent a packet, by time.monotonic()."""
        return self._listener.heard

    @property
    def _listener(self) -> ServerPackets:
        if not isinstance(self.packetizer, ServerPackets):
            raise TypeError(self.packetizer)
        return self.packetizer

    @property
    def authentication(self) -> Authentication:
        """Return the authentication, begun on first use."""
        self.ensure_session()
        handler = self.auth_handler
        if not isinstance(handler, Authentication):
            raise TypeError(handler)
        return handler

    def ensure_session(self) -> None:
        # paramiko's waits for the service's acceptance in steps of 0.1 s, and for ever when the link is dead. Nothing
        # needs to wait: the server reads the authentication that follows in order.
        if self.auth_handler is None:
            request = paramiko.Message()
            request.add_byte(cMSG_SERVICE_REQUEST)
            request.add_string("ssh-userauth")
            self._send_message(request)
            self.auth_handler = Authentication(self)

    def get_exception(self) -> Exception | None:
        """Return what ended the connection, for every caller; a broken packet makes paramiko raise many exceptions.

        paramiko returns it only to the first caller. An error of only a login or a channel is returned once.
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
            super()._parse_kex_init(message)  # type: ignore[misc]  # the stubs leave it out
        except IncompatiblePeer:
            message.rewind()
            offer = self._really_parse_kex_init(message)  # type: ignore[attr-defined]  # the stubs leave it out
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
        super()._parse_ext_info(message)  # type: ignore[misc]  # the stubs leave it out
        for value in self.server_extensions.values():  # type: ignore[attr-defined]  # the stubs leave it out
            value.decode()  # before it is read where a key is offered

    def _send_message(self, data: paramiko.Message) -> None:
        # paramiko sends a message after it has released the channel's lock: data may follow the end of the channel, at
        # which sshd ends the whole connection.
        text = data.asbytes()
        kind, channel = text[0], int.from_bytes(text[1:5], "big")
        with self._sending:
            if kind in CHANNEL_MESSAGES and channel in self._ended:
                return
            if kind == MSG_CHANNEL_CLOSE:
                self._ended.add(channel)
            # Adjusting the window is part of reading: the reader must still get the data before the connection's end.
            with suppress(EOFError) if kind == MSG_CHANNEL_WINDOW_ADJUST else nullcontext():
                super()._send_message(data)  # type: ignore[misc]  # the stubs leave it out

    def _parse_channel_open_success(self, message: paramiko.Message) -> None:
        message.get_int()
        self._ended.discard(message.get_int())  # the server uses its numbers again
        message.rewind()
        super()._parse_channel_open_success(message)  # type: ignore[misc]  # the stubs leave it out

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        names = tuple(super().preferred_keys)
        return tuple(sorted(names, key=lambda name: "-cert-" not in name)) if self._asks_for_certificates else names

    def _verify_key(self, host_key: bytes, signature: bytes) -> None:
        super()._verify_key(host_key, signature)  # type: ignore[misc]  # the stubs leave it out
        self.shown_key = host_key

    def prefer(self, types: list[str], *, certificates: bool = False) -> None:
        """Prefer host keys of these types, so that a host shows a key that is known.

        With `certificates`, prefer certificates over keys.
        """
        self._asks_for_certificates = certificates
        security = self.get_security_options()
        offered = list(security.key_types)
        first = [name for kind in types for name in ALGORITHMS.get(kind, (kind,)) if name in offered]
        security.key_types = [*first, *(name for name in offered if name not in first)]

    def close(self) -> None:
        super().close()
        # Else the timer of an unfinished handshake keeps the process alive until it is over.
        self.packetizer.complete_handshake()
