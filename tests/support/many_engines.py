"""Thousands of engines in one process: TLS that wants a client's certificate, each at a loopback address of its own.

All of 127.0.0.0/8 is this computer, so that one socket listens for all of them; which one was meant is in the address
that a connection came to. What they answer is from memory.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import signal
import socket
import ssl
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from machinectl.verbs.certs import create_certificates
from tests.support.servers import TOLD, VERSION, answer

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST = ipaddress.IPv4Address("127.64.0.1")
# So many share a certificate: as many names as a real one may have, and not a file for each of thousands.
SHARING = 50
SERVE = "from tests.support.many_engines import serve; serve()"
BACKLOG = 4096


class Simulated(NamedTuple):
    """An engine: its URL, and the directory of what opens it."""

    url: str
    directory: Path


@contextmanager
def many_engines(work: Path, count: int) -> Iterator[list[Simulated]]:
    """So many engines, in a process of their own, whose CPU is not the caller's."""
    addresses = [str(FIRST + number) for number in range(count)]
    places = [work / str(number) for number in range(-(-count // SHARING))]
    for number, place in enumerate(places):
        create_certificates(str(place), addresses[number * SHARING : (number + 1) * SHARING])
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))
        listener.listen(BACKLOG)
        port = listener.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(listener.fileno()), str(work), str(len(places))],
            pass_fds=[listener.fileno()],
            stdout=subprocess.PIPE,
        )
        try:
            # It says so when it has read all certificates.
            if process.stdout is None or process.stdout.readline() != b"ready\n":
                raise RuntimeError("the engines do not come up")
            yield [Simulated(f"tcp://{address}:{port}", places[at // SHARING]) for at, address in enumerate(addresses)]
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate()


def serve() -> None:
    """Serve the listening socket of argv, with certificates from a directory, until the process is ended."""
    listener, work, groups = socket.socket(fileno=int(sys.argv[1])), Path(sys.argv[2]), int(sys.argv[3])
    contexts = [context(work / str(number)) for number in range(groups)]
    os.write(1, b"ready\n")
    asyncio.run(accept(listener, contexts))


def context(directory: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(directory / "server.pem", directory / "server-key.pem")
    made.load_verify_locations(directory / "ca.pem")
    made.verify_mode = ssl.CERT_REQUIRED
    return made


async def accept(listener: socket.socket, contexts: list[ssl.SSLContext]) -> None:
    loop = asyncio.get_running_loop()
    listener.setblocking(False)
    under_way: set[asyncio.Task[None]] = set()
    while True:
        accepted, _ = await loop.sock_accept(listener)
        at = int(ipaddress.IPv4Address(accepted.getsockname()[0])) - int(FIRST)
        task = loop.create_task(attend(accepted, contexts[at // SHARING]))
        under_way.add(task)
        task.add_done_callback(under_way.discard)


async def attend(accepted: socket.socket, secured: ssl.SSLContext) -> None:
    """One connection; a client that goes away goes without a word."""
    try:
        await asyncio.get_running_loop().connect_accepted_socket(Engine, accepted, ssl=secured)
    except OSError:
        accepted.close()


class Engine(asyncio.Protocol):
    """What an engine says to a probe, and to those questions that are in memory."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.head += data
        while b"\r\n\r\n" in self.head:
            request, self.head = self.head.split(b"\r\n\r\n", 1)
            path = request.split()[1].partition(b"?")[0]
            self.transport.write(answer(TOLD.get(path, VERSION)))
