"""Where a machine's engine is now: its record and certificates are read again when they have changed."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, NamedTuple

from machinectl.engine.dialling.tls import CA, CERTIFICATE, KEY, client_context
from machinectl.engine.duplex.duplex_dial import open_stream
from machinectl.engine.endpoint import Deadline, EngineError
from machinectl.engine.probe import ask_engine
from machinectl.hosts.engine_socket.kept_ssh import KeptSSH
from machinectl.machines.store.store_paths import RECORD

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from machinectl.engine import Endpoint
    from machinectl.engine.duplex.duplex_stream import DuplexStream
    from machinectl.hosts.status.present_name import PresentName

# Seconds to connect.
DIAL_SECONDS = 10.0
# Connections that are opened at once: more would make an engine's handshakes late.
MOST_DIALS = 128
# How often files are read that change meanwhile, and which.
ATTEMPTS = 3
FILES = (RECORD, CA, CERTIFICATE, KEY)


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
