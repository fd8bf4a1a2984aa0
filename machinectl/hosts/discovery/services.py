"""Identify the service at an open port."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from machinectl.engine.endpoint import Deadline
from machinectl.engine.unauthenticated_ping import PingAnswer, first_words, ping_plain, ping_tls
from machinectl.errors import one_line
from machinectl.hosts.discovery.port_sweep import connect_again
from machinectl.ssh.ssh_errors import REJECTING_GREETINGS
from machinectl.ssh.ssh_settings import SSH_PORT
from machinectl.url import PLAIN_PORT, TLS_PORT

if TYPE_CHECKING:
    import socket

    from machinectl.hosts.discovery.port_sweep import SweepTarget
    from machinectl.ssh.keys.known_hosts import HostKey

GREETING = b"SSH-"
LONGEST_SAID = 80
# Seconds to wait for a greeting at other ports before sending a request.
PATIENCE = 0.4
# Engines wait for a request.
NO_GREETING = {PLAIN_PORT, TLS_PORT}


class SpokenProtocol(StrEnum):
    """`TLS` wants a client's certificate, or speaks no HTTP over TLS."""

    SSH = "ssh"
    ENGINE = "docker"
    HTTP = "http"
    TLS = "tls"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class FoundService:
    """`said` is SSH's greeting, the Server header, or the first line.

    With `tls`, `names` are the certificate's, and `asks` means that it wants a client's. `is_open`: everyone can use
    the engine.
    """

    port: int
    speaks: SpokenProtocol = SpokenProtocol.UNKNOWN
    said: str = ""
    key: HostKey | None = None
    tls: bool = False
    names: tuple[str, ...] = ()
    asks: bool = False
    is_open: bool = False

    @property
    def is_engine(self) -> bool:
        """Whether it may be an engine. If it wants a certificate, only its clients know."""
        return self.speaks is SpokenProtocol.ENGINE or self.asks

    def fields(self) -> dict[str, object]:
        return {
            "Port": self.port,
            "Speaks": str(self.speaks),
            "Said": self.said,
            "KeyType": self.key.type if self.key else "",
            "Fingerprint": self.key.fingerprint if self.key else "",
            "TLS": self.tls,
            "CertificateNames": list(self.names),
            "WantsCertificate": self.asks,
            "OpenToAnybody": self.is_open,
        }


def identify_service(target: SweepTarget, sock: socket.socket, timeout: float) -> FoundService:
    """Callers close `sock`."""
    deadline = Deadline(timeout)
    try:
        if target.port not in NO_GREETING:
            words = first_words(sock, timeout if target.port == SSH_PORT else min(PATIENCE, timeout / 2))
            if words is not None or target.port == SSH_PORT:
                return service_from_greeting(target, sock, words or b"", deadline)
        return service_from_requests(target, sock, deadline)
    except (OSError, TimeoutError):
        return FoundService(target.port)


def service_from_greeting(target: SweepTarget, sock: socket.socket, words: bytes, deadline: Deadline) -> FoundService:
    if not words or not (words.startswith(GREETING) or GREETING.startswith(words)):
        line = one_line(words.split(b"\n")[0].decode(errors="replace"), LONGEST_SAID)
        return FoundService(
            target.port, SpokenProtocol.SSH if line.startswith(REJECTING_GREETINGS) else SpokenProtocol.UNKNOWN, line
        )
    # Imported here: paramiko loads slowly.
    from machinectl.ssh.client.native_session import read_banner

    greeting, key = read_banner(sock, deadline.remaining() or 0)
    return FoundService(
        target.port, SpokenProtocol.SSH, greeting or one_line(words.decode(errors="replace"), LONGEST_SAID), key
    )


def service_from_requests(target: SweepTarget, sock: socket.socket, deadline: Deadline) -> FoundService:
    # A TLS server answers a request that is not TLS at once; a plain one may wait for the rest of a TLS greeting.
    tongues = (ping_tls, ping_plain) if target.port == TLS_PORT else (ping_plain, ping_tls)
    for speak in tongues:
        left = deadline.remaining() or 0
        first_of_two = speak is tongues[0] and target.port not in NO_GREETING
        share = Deadline(left / 2) if first_of_two else deadline
        with sock if sock.fileno() >= 0 else connect_again(target, deadline) as mine:
            answer = speak(mine, *target, share)
        if answer:
            return service_from_answer(target.port, answer)
    with connect_again(target, deadline) as another:
        words = first_words(another, min(PATIENCE, deadline.remaining() or 0))
        return service_from_greeting(target, another, words or b"", deadline)


def service_from_answer(port: int, answer: PingAnswer) -> FoundService:
    other = SpokenProtocol.HTTP if answer.server else SpokenProtocol.TLS
    return FoundService(
        port,
        SpokenProtocol.ENGINE if answer.engine else other,
        answer.server,
        tls=answer.tls,
        names=answer.names,
        asks=answer.asks,
        is_open=answer.is_open,
    )
