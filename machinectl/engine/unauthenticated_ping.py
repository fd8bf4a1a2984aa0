"""Identify the server on a port without a client certificate."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl import url as engine_url
from machinectl.engine.endpoint import Endpoint, EngineError
from machinectl.engine.http import BAD_REQUEST, get
from machinectl.engine.tls import secured_by, strangers_context, wants_certificate
from machinectl.engine.wire import Wire
from machinectl.errors import MachineError, one_line

if TYPE_CHECKING:
    from machinectl.engine.endpoint import Deadline

OK = 200
# Limits of a server's name (characters) and its first bytes.
LONGEST_SAID, LONGEST_FIRST = 80, 256


@dataclass(frozen=True)
class PingAnswer:
    """The server on a port.

    `welcome`: it answers without a certificate. `names`: in its certificate. `asks`: it wants a client certificate.
    """

    tls: bool = False
    server: str = ""
    engine: bool = False
    welcome: bool = False
    names: tuple[str, ...] = ()
    asks: bool = False

    @property
    def is_open(self) -> bool:
        """Whether anybody can use this engine, and so become root."""
        return self.engine and self.welcome


def first_words(sock: socket.socket, seconds: float) -> bytes:
    """Peek at a server's first bytes; b"" if none come."""
    with suppress(OSError):
        sock.settimeout(seconds)
        return sock.recv(LONGEST_FIRST, socket.MSG_PEEK)
    return b""


def ping_plain(sock: socket.socket, address: str, port: int, deadline: Deadline) -> PingAnswer | None:
    """Ping in plain HTTP; None if the server speaks something else. Closes the connection."""
    url = engine_url.EngineURL("tcp", host=address, port=port)
    with Wire(sock, Endpoint(str(url)), deadline) as wire, suppress(MachineError):
        return ping(wire)
    return None


def ping_tls(sock: socket.socket, address: str, port: int, deadline: Deadline) -> PingAnswer | None:
    """Ping in TLS; None if the server speaks something else. Closes the connection."""
    url = engine_url.EngineURL("tcp", host=address, port=port)
    try:
        wire = secured_by(strangers_context(), sock, Endpoint(str(url), tls=True), url, deadline)
    except EngineError as exc:
        # Up to TLS 1.2, the handshake itself fails.
        return PingAnswer(tls=True, asks=True) if wants_certificate(exc.__cause__) else None
    with wire:
        pem = ssl.DER_cert_to_PEM_cert(wire.sock.getpeercert(binary_form=True) or b"").encode()
        seen = PingAnswer(tls=True)
        with suppress(MachineError):
            seen = replace(seen, names=certs.describe(pem).sans)
        try:
            answer = ping(wire)
        except MachineError as exc:
            return replace(seen, asks=wants_certificate(exc.__cause__))
    return replace(answer, tls=True, names=seen.names) if answer else seen


def ping(wire: Wire) -> PingAnswer | None:
    """Ping; None for a bare "bad request". Raises EngineError."""
    answer = get(wire, "/_ping")
    engine = bool(answer.header("Api-Version"))
    if answer.status == BAD_REQUEST and not engine:
        return None
    server = one_line(answer.header("Server"), LONGEST_SAID)
    return PingAnswer(server=server or f"HTTP {answer.status}", engine=engine, welcome=answer.status == OK)
