"""Identify the service at an open port: SSH at its port, else an engine."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from machinectl.engine.endpoint import Deadline
from machinectl.engine.unauthenticated_ping import first_words, ping_plain, ping_tls
from machinectl.errors import one_line
from machinectl.ssh.destination import SSH_PORT
from machinectl.ssh.ssh_errors import REJECTING_GREETINGS
from machinectl.url import TLS_PORT

if TYPE_CHECKING:
    from machinectl.ssh.keys.known_hosts import HostKey

PORTS = (SSH_PORT, TLS_PORT)
GREETING = b"SSH-"
LONGEST_SAID = 80


class SweepTarget(NamedTuple):
    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


class SpokenProtocol(StrEnum):
    """`TLS` wants a client's certificate, or speaks no HTTP over TLS."""

    SSH = "ssh"
    ENGINE = "docker"
    TLS = "tls"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class FoundService:
    """`said` is SSH's greeting, or the engine's Server header.

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
    try:
        if target.port == PORTS[0]:
            return ssh_service(target.port, sock, timeout)
        return engine_service(target, sock, Deadline(timeout))
    except OSError:
        return FoundService(target.port)
    except Exception as exc:  # noqa: BLE001 - one strange host must not stop the scan
        return FoundService(target.port, said=f"Unexpected {type(exc).__name__}")


def ssh_service(port: int, sock: socket.socket, timeout: float) -> FoundService:
    deadline = Deadline(timeout)
    words = first_words(sock, timeout)
    line = one_line(words.split(b"\n")[0].decode(errors="replace"), LONGEST_SAID)
    if not words or not (words.startswith(GREETING) or GREETING.startswith(words)):
        speaks = SpokenProtocol.SSH if line.startswith(REJECTING_GREETINGS) else SpokenProtocol.UNKNOWN
        return FoundService(port, speaks, line)
    # Imported here: paramiko loads slowly.
    from machinectl.ssh.native.native_login import read_banner

    greeting, key = read_banner(sock, deadline.remaining() or 0)
    return FoundService(port, SpokenProtocol.SSH, greeting or line, key)


def engine_service(target: SweepTarget, sock: socket.socket, deadline: Deadline) -> FoundService:
    # A TLS server answers a request that is not TLS at once; a plain one may wait for the rest of a TLS greeting.
    answer = ping_plain(sock, *target, Deadline((deadline.remaining() or 0) / 2))
    if answer is None:
        with socket.create_connection(target, deadline.remaining()) as another:
            answer = ping_tls(another, *target, deadline)
    if answer is None:
        return FoundService(target.port)
    speaks = SpokenProtocol.ENGINE if answer.engine else SpokenProtocol.TLS if answer.tls else SpokenProtocol.UNKNOWN
    return FoundService(target.port, speaks, answer.server, None, answer.tls, answer.names, answer.asks, answer.is_open)
