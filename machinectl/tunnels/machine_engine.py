"""Connections to a machine's engine: over TLS, or over one SSH connection, which is kept and made again after a loss.

The record and the certificates are read again when they have changed.
"""

from __future__ import annotations

import asyncio
import os
import select
from typing import TYPE_CHECKING, NamedTuple

from machinectl.engine.duplex_dial import open_stream
from machinectl.engine.duplex_stream import PlainStream
from machinectl.engine.endpoint import Deadline, Endpoint, EngineError
from machinectl.engine.http import dial
from machinectl.engine.probe import ask_engine
from machinectl.engine.tls import CA, CERTIFICATE, KEY, client_context
from machinectl.machines.store.store_paths import RECORD

if TYPE_CHECKING:
    import socket
    import ssl

    from machinectl.engine.duplex_stream import DuplexStream
    from machinectl.engine.wire import Wire
    from machinectl.hosts.present_name import PresentName

# Seconds to log in and to reach the engine.
LOGIN_SECONDS = 30.0
# Seconds to connect.
DIAL_SECONDS = 10.0
# Connections that are opened at once: more would make an engine's handshakes late.
MOST_DIALS = 128
MOST_LOGINS = 4
# Files that change what is reached.
FILES = (RECORD, CA, CERTIFICATE, KEY)


def has_hung_up(sock: socket.socket) -> bool:
    """Return whether the peer has closed its socket, not only its direction."""
    watch = select.poll()
    watch.register(sock, 0)
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in watch.poll(0))


class WireStream(PlainStream):
    def __init__(self, wire: Wire) -> None:
        super().__init__(wire.sock)
        self._wire = wire

    def close(self) -> None:
        self._wire.close()


def check_answer(endpoint: Endpoint) -> None:
    """Raise MachineError if the engine does not answer."""
    ask_engine(endpoint, Deadline(DIAL_SECONDS), None)


class Reached(NamedTuple):
    endpoint: Endpoint
    context: ssl.SSLContext | None


class MachineEngine:
    def __init__(self, name: PresentName) -> None:
        self._name = name
        self._seen: object = None
        self._reached: Reached | None = None
        self._reading = asyncio.Lock()
        self._dials = asyncio.Semaphore(MOST_DIALS)
        # sshd takes few logins at once (MaxStartups), which sessions need that its MaxSessions refuses.
        self._logins = asyncio.Semaphore(MOST_LOGINS)

    async def open(self) -> tuple[Endpoint, DuplexStream]:
        """Raises MachineError."""
        async with self._dials:
            endpoint, context = await self._current()
            try:
                if endpoint.url.startswith("ssh://"):
                    return endpoint, await self._open_by_ssh(endpoint)
                return endpoint, await open_stream(endpoint, context, DIAL_SECONDS)
            except EngineError:
                # A renewal may have been killed: the next connection settles it.
                self._seen = None
                raise

    async def _open_by_ssh(self, endpoint: Endpoint) -> DuplexStream:
        async with self._logins:
            return WireStream(await asyncio.to_thread(dial, endpoint, Deadline(LOGIN_SECONDS)))

    async def _current(self) -> Reached:
        async with self._reading:
            if self._reached is None or self._seen != self._state():
                self._reached = await asyncio.to_thread(self._read)
            return self._reached

    def _read(self) -> Reached:
        # Files that are replaced meanwhile are read again for the next connection.
        self._seen = self._state()
        endpoint = self._name.endpoint()
        return Reached(endpoint, client_context(endpoint) if endpoint.tls else None)

    def _state(self) -> list[tuple[int, int, int] | None]:
        return [file_state(file, self._name.directory) for file in FILES]


def file_state(name: str, directory: int) -> tuple[int, int, int] | None:
    """Return what changes when a file in an open directory is replaced; None if there is none."""
    try:
        found = os.stat(name, dir_fd=directory)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
