"""Streams to an engine over one SSH connection, which is kept, and made again after it was lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from machinectl.engine.dialling.deadline_socket import Wire
from machinectl.engine.duplex.duplex_dial import open_stream
from machinectl.engine.duplex.duplex_stream import PlainStream
from machinectl.engine.endpoint import Deadline, Endpoint, EngineError
from machinectl.engine.http import dial

if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.engine.duplex.duplex_stream import DuplexStream

# Seconds to log in and to reach the engine.
LOGIN_SECONDS = 30.0
# Seconds after a ping until the next request pings first: ssh notices a lost host only after 45 s.
FRESH_SECONDS = 5.0


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
