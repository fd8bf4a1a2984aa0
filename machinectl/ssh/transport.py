"""paramiko's transport, mended where it would lose an answer, wait for ever, or forget what the server said."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

import paramiko
from paramiko.auth_handler import AuthOnlyHandler
from paramiko.common import (
    MSG_CHANNEL_CLOSE,
    MSG_CHANNEL_DATA,
    MSG_CHANNEL_EOF,
    MSG_CHANNEL_REQUEST,
    MSG_CHANNEL_WINDOW_ADJUST,
    cMSG_SERVICE_REQUEST,
)
from paramiko.packet import Packetizer
from paramiko.transport import ServiceRequestingTransport

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from machinectl.ssh.known_hosts import HostKey

# Without a handler, logging's last resort prints paramiko's tracebacks to stderr.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

# What may be asked of a server for a key of a type in known_hosts (RFC 8332: an ssh-rsa key signs with SHA-2).
ALGORITHMS = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
# What a server ends the connection for when it comes after the channel's end.
CHANNEL_MESSAGES = {
    MSG_CHANNEL_CLOSE,
    MSG_CHANNEL_DATA,
    MSG_CHANNEL_EOF,
    MSG_CHANNEL_REQUEST,
    MSG_CHANNEL_WINDOW_ADJUST,
}
# paramiko's own, in seconds.
AUTHENTICATION_TIMEOUT = 30.0


class NoAnswer(Exception):
    """The server did not answer a request for authentication."""


class Listener(Packetizer):
    """Remembers the first line that came, to tell what listens there when it is not SSH, and when it last spoke."""

    first_line: str | None = None
    # time.monotonic() of the last packet.
    heard = 0.0

    def readline(self, timeout: float) -> str:
        line = super().readline(timeout)
        if self.first_line is None:
            self.first_line = line
        return line

    def read_message(self) -> tuple[int, paramiko.Message]:
        message = super().read_message()
        self.heard = time.monotonic()
        return message


class Authentication(AuthOnlyHandler):
    """Authentication requests one after the other (RFC 4252).

    `methods` are those that the server said can continue, known after its first refusal.
    """

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self.methods: list[str] = []
        self._accepted = False
        self._early = threading.Event()

    def would_accept(self, user: str, key: HostKey) -> bool:
        """Ask whether a public key would do (RFC 4252 7), before a passphrase is asked for its private half."""
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
        # paramiko makes the event that the answer sets after it has sent the question: a quick answer would be lost.
        self._early = self.auth_event = threading.Event()
        answer: list[str] = super().send_auth_request(username, method, finish_message)
        return answer

    def wait_for_response(self, event: threading.Event) -> list[str]:
        if self._early.is_set():
            event.set()
        try:
            answer: list[str] = super().wait_for_response(event)
        except paramiko.AuthenticationException as exc:
            if event.is_set() or not self.transport.is_active():
                raise
            raise NoAnswer from exc
        return answer

    def _parse_userauth_failure(self, message: paramiko.Message) -> None:
        self.methods = message.get_list()
        message.rewind()
        super()._parse_userauth_failure(message)  # type: ignore[misc]  # the stubs leave it out

    def _parse_userauth_info_request(self, message: paramiko.Message) -> None:
        # The same number, 60, is "this public key would do" after a question about a key.
        if self.auth_method != "publickey":
            super()._parse_userauth_info_request(message)  # type: ignore[misc]  # the stubs leave it out
            return
        self._accepted = True
        if self.auth_event is not None:
            self.auth_event.set()


class Transport(ServiceRequestingTransport):
    """One SSH connection over a socket (or a jump host's channel, which behaves like one)."""

    def __init__(self, sock: socket.socket | paramiko.Channel, *, timeout: float) -> None:
        # The server's numbers of channels whose end we have told it.
        self._ended: set[int] = set()
        self._sending = threading.Lock()
        super().__init__(sock, packetizer_class=Listener)
        self.banner_timeout = self.handshake_timeout = timeout
        # A host may ask a directory server first, and waits on purpose after a wrong password.
        self.auth_timeout = max(timeout, AUTHENTICATION_TIMEOUT)

    @property
    def first_line(self) -> str | None:
        """The first line that the other side sent; None where it sent none."""
        return self._listener.first_line

    @property
    def heard(self) -> float:
        """When the server last sent a packet, as time.monotonic() has it."""
        return self._listener.heard

    @property
    def _listener(self) -> Listener:
        if not isinstance(self.packetizer, Listener):
            raise TypeError(self.packetizer)
        return self.packetizer

    @property
    def authentication(self) -> Authentication:
        """The conversation about who we are, begun on first use."""
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

    def _send_message(self, data: paramiko.Message) -> None:
        # paramiko makes a message under the channel's lock and sends it after, so that one thread's data may overtake
        # another's end of the channel; sshd then ends the whole connection.
        text = data.asbytes()
        kind, channel = text[0], int.from_bytes(text[1:5], "big")
        with self._sending:
            if kind in CHANNEL_MESSAGES and channel in self._ended:
                return
            if kind == MSG_CHANNEL_CLOSE:
                self._ended.add(channel)
            super()._send_message(data)  # type: ignore[misc]  # the stubs leave it out

    def _parse_channel_open_success(self, message: paramiko.Message) -> None:
        message.get_int()
        self._ended.discard(message.get_int())  # the server uses its numbers again
        message.rewind()
        super()._parse_channel_open_success(message)  # type: ignore[misc]  # the stubs leave it out

    def prefer(self, types: list[str]) -> None:
        """Ask for host keys of these types before others, so that a host is recognised by the key that is known."""
        security = self.get_security_options()
        offered = list(security.key_types)
        first = [name for kind in types for name in ALGORITHMS.get(kind, (kind,)) if name in offered]
        security.key_types = [*first, *(name for name in offered if name not in first)]

    def close(self) -> None:
        super().close()
        # Else the timer of an unfinished handshake keeps the process alive until it is over.
        self.packetizer.complete_handshake()
