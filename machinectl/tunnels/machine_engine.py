"""Connections to a machine's engine: over TLS, or over one SSH connection, which is kept and made again after a loss.

The record and the certificates are read again when they have changed.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, NamedTuple

from machinectl.engine.dialling.deadline_socket import Wire
from machinectl.engine.dialling.tls import CA, CERTIFICATE, KEY, client_context
from machinectl.engine.duplex.duplex_dial import open_stream
from machinectl.engine.duplex.duplex_stream import PlainStream
from machinectl.engine.endpoint import Deadline, Endpoint, EngineError
from machinectl.engine.http import dial
from machinectl.engine.probe import ask_engine
from machinectl.machines.store.store_paths import RECORD

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from machinectl.engine.duplex.duplex_stream import DuplexStream
    from machinectl.hosts.present_name import PresentName

# Seconds to log in and to reach the engine.
LOGIN_SECONDS = 30.0
# Seconds after a ping until the next request pings first: ssh notices a lost host only after 45 s.
FRESH_SECONDS = 5.0
# Seconds to connect.
DIAL_SECONDS = 10.0
# Connections that are opened at once: more would make an engine's handshakes late.
MOST_DIALS = 128
# How often files are read that change meanwhile, and which.
ATTEMPTS = 3
FILES = (RECORD, CA, CERTIFICATE, KEY)


class KeptSSH:
    """`warn` takes a line for the log."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._loop = asyncio.get_running_loop()
        self._connecting = asyncio.Lock()
        # A connection that stays open, so that ssh does, and where it leads.
        self._held: Wire | None = None
        self._endpoint: Endpoint | None = None
        self._pinged = 0.0

    async def open(self, endpoint: Endpoint) -> DuplexStream:
        """Raises EngineError."""
        wire = await self._wire(endpoint)
        if wire is not self._held:
            # Its sshd forwards nothing: each connection is a process of ssh.
            return WireStream(wire)
        path = str(wire.sock.getpeername())
        try:
            return await open_stream(Endpoint(f"unix://{path}", name=endpoint.name), None, LOGIN_SECONDS)
        except EngineError:
            self.close()
            raise

    def close(self) -> None:
        if self._held:
            self._loop.remove_reader(self._held.sock)
            self._held.close()
        self._held = None

    async def _wire(self, endpoint: Endpoint) -> Wire:
        """Return the held connection, or a new one through a process of its own."""
        async with self._connecting:
            is_fresh = self._loop.time() < self._pinged + FRESH_SECONDS
            if self._held and self._endpoint == endpoint and is_fresh:
                return self._held
            try:
                # This pings, over the same SSH connection if that still works.
                wire = await asyncio.to_thread(dial, endpoint, Deadline(LOGIN_SECONDS))
            finally:
                self.close()
            if type(wire) is Wire:
                self._held, self._endpoint, self._pinged = wire, endpoint, self._loop.time()
                self._loop.add_reader(wire.sock, self._lost)
            return wire

    def _lost(self) -> None:
        """The held connection is silent until it ends."""
        endpoint = self._endpoint
        self.close()
        if endpoint:
            self._warn(f"The connection to {endpoint.peer} was lost; the next request makes another")


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
    """`warn` takes a line for the log."""

    def __init__(self, name: PresentName, warn: Callable[[str], None]) -> None:
        self._name = name
        self._seen: object = None
        self._reached: Reached | None = None
        self._reading = asyncio.Lock()
        self._dials = asyncio.Semaphore(MOST_DIALS)
        self._ssh = KeptSSH(warn)

    async def open(self) -> tuple[Endpoint, DuplexStream]:
        """Raises MachineError."""
        async with self._dials:
            endpoint, context = await self._current()
            try:
                if endpoint.url.startswith("ssh://"):
                    return endpoint, await self._ssh.open(endpoint)
                return endpoint, await open_stream(endpoint, context, DIAL_SECONDS)
            except EngineError:
                # A renewal may have been killed: the next connection settles it.
                self._seen = None
                raise

    def close(self) -> None:
        self._ssh.close()

    async def _current(self) -> Reached:
        async with self._reading:
            if self._reached is None or self._seen != self._state():
                self._reached = await asyncio.to_thread(self._read)
            return self._reached

    def _read(self) -> Reached:
        for left in reversed(range(ATTEMPTS)):
            state = self._state()
            try:
                endpoint = self._name.endpoint()
                reached = Reached(endpoint, client_context(endpoint) if endpoint.tls else None)
            except EngineError:
                # Files are replaced one by one.
                if not left or state == self._state():
                    raise
            else:
                self._seen = state
                if not left or state == self._state():
                    break
        return reached

    def _state(self) -> list[tuple[int, int, int] | None]:
        return [file_state(file, self._name.directory) for file in FILES]


def file_state(name: str, directory: int) -> tuple[int, int, int] | None:
    """Return what changes when a file in an open directory is replaced; None if there is none."""
    try:
        found = os.stat(name, dir_fd=directory)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
