"""Identify the server on a port without a client certificate."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl import url as engine_url
from machinectl.engine.endpoint import Endpoint, EngineError
from machinectl.engine.http import get
from machinectl.engine.response import BAD_REQUEST
from machinectl.engine.tls import secured_by, strangers_context, wants_certificate
from machinectl.engine.wire import Wire
from machinectl.errors import MachineError, one_line

if TYPE_CHECKING:
    from machinectl.engine.endpoint import Deadline

OK = 200
# Limits of a server's name (characters) and its first bytes.
LONGEST_SAID = 80
LONGEST_FIRST = 256


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


def first_words(sock: socket.socket, seconds: float) -> bytes | None:
    """Peek at a server's first bytes: None on timeout, b"" if it hung up."""
    try:
        sock.settimeout(seconds)
        return sock.recv(LONGEST_FIRST, socket.MSG_PEEK)
    except TimeoutError:
        return None
    except OSError:
        return b""


def ping_plain(sock: socket.socket, address: str, port: int, deadline: Deadline) -> PingAnswer | None:
    """Ping in plain HTTP; None if the server speaks something else. Closes the connection."""
    with Wire(sock, Endpoint(tcp_url(address, port)), deadline) as wire:
        try:
            return ping(wire)
        except MachineError:
            return None


def ping_tls(sock: socket.socket, address: str, port: int, deadline: Deadline) -> PingAnswer | None:
    """Ping in TLS; None if the server speaks something else. Closes the connection."""
    endpoint = Endpoint(tcp_url(address, port), tls=True)
    try:
        wire = secured_by(strangers_context(), sock, endpoint, engine_url.parse_url(endpoint.url), deadline)
    except ssl.SSLError as exc:
        # Up to TLS 1.2, the handshake itself fails.
        return PingAnswer(tls=True, asks=True) if wants_certificate(exc) else None
    except (OSError, MachineError):
        return None
    with wire:
        names = certificate_names(wire.sock.getpeercert(binary_form=True) or b"")
        try:
            found = ping(wire)
        except EngineError as exc:
            asks = isinstance(exc.__cause__, ssl.SSLError) and wants_certificate(exc.__cause__)
            return PingAnswer(tls=True, names=names, asks=asks)
        except MachineError:
            return PingAnswer(tls=True, names=names)
    return (
        PingAnswer(True, found.server, found.engine, found.welcome, names)
        if found
        else PingAnswer(tls=True, names=names)
    )


def ping(wire: Wire) -> PingAnswer | None:
    """Ping; None for a bare "bad request". Raises EngineError."""
    answer = get(wire, "/_ping")
    engine = "Api-Version" in answer.headers
    if answer.status == BAD_REQUEST and not engine:
        return None
    server = one_line(str(answer.headers.get("Server", "")), LONGEST_SAID)
    return PingAnswer(server=server or f"HTTP {answer.status}", engine=engine, welcome=answer.status == OK)


def certificate_names(certificate: bytes) -> tuple[str, ...]:
    """Return a DER certificate's names; () if unreadable."""
    from machinectl import certs

    try:
        return certs.describe(ssl.DER_cert_to_PEM_cert(certificate).encode()).sans if certificate else ()
    except MachineError:
        return ()


def tcp_url(address: str, port: int) -> str:
    return str(engine_url.EngineURL("tcp", host=address, port=port))
