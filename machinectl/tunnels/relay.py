"""Relay the connections of a unix socket to a machine's engine, over TLS or over one SSH connection.

The record and the certificates are read again when they have changed; a lost SSH connection is made again.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from machinectl.descriptors import fitting_jobs
from machinectl.engine.duplex import PlainStream, early_end, open_stream
from machinectl.engine.endpoint import Deadline, Endpoint, EngineError
from machinectl.engine.http import dial
from machinectl.engine.probe import SOCKET_SERVER
from machinectl.engine.tls import CA, CERTIFICATE, KEY, client_context
from machinectl.errors import MachineError, one_line
from machinectl.machines.store.store_paths import RECORD
from machinectl.tunnels.local_sockets import ASKING
from machinectl.tunnels.open_ports import DistinctWarnings

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Mapping

    from machinectl.console import Console
    from machinectl.engine.duplex import DuplexStream
    from machinectl.engine.wire import Wire
    from machinectl.hosts.present_name import PresentName

# Bytes of a direction's buffer, at first and at most: a thousand silent connections need little.
LEAST, MOST = 1 << 14, 1 << 18
# Bytes of a request that we answer, and seconds to read it and to send that.
LONGEST_REQUEST, ANSWER_SECONDS = 1 << 20, 5.0
# Connections, each with two descriptors.
MOST_CONNECTIONS, DESCRIPTORS_EACH = 4000, 2
# Seconds without new connections if this process has too many files open.
PAUSE = 0.1
# Seconds to log in and to reach the engine.
LOGIN_SECONDS = 30.0
# Seconds to connect.
DIAL_SECONDS = 10.0
# Connections that are opened at once: more would make an engine's handshakes late.
MOST_DIALS = 128
# sshd takes few logins at once (MaxStartups), which sessions need that its MaxSessions refuses.
MOST_LOGINS = 4
# Files that change what is reached.
FILES = (RECORD, CA, CERTIFICATE, KEY)
END_OF_HEAD = b"\r\n\r\n"
OK, BAD_GATEWAY = "200 OK", "502 Bad Gateway"


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


class MachineEngine:
    def __init__(self, name: PresentName) -> None:
        self._name = name
        self._seen: object = None
        self._reached: tuple[Endpoint, ssl.SSLContext | None] | None = None
        self._reading = asyncio.Lock()
        self._dials = asyncio.Semaphore(MOST_DIALS)
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

    async def _current(self) -> tuple[Endpoint, ssl.SSLContext | None]:
        async with self._reading:
            if self._reached is None or self._seen != self._state():
                self._reached = await asyncio.to_thread(self._read)
            return self._reached

    def _read(self) -> tuple[Endpoint, ssl.SSLContext | None]:
        # Files that are replaced meanwhile are read again for the next connection.
        self._seen = self._state()
        endpoint = self._name.endpoint()
        return endpoint, client_context(endpoint) if endpoint.tls else None

    def _state(self) -> list[tuple[str, int, int, int]]:
        """Return what changes when a file of the machine is replaced."""
        states = []
        for file in FILES:
            with suppress(OSError):
                status = os.stat(file, dir_fd=self._name.directory)
                states.append((file, status.st_ino, status.st_mtime_ns, status.st_size))
        return states


class Relay:
    """`describe` says whose socket it is."""

    def __init__(self, engine: MachineEngine, console: Console, describe: Callable[[], Mapping[str, object]]) -> None:
        self._engine = engine
        self._describe = describe
        self._connections: set[asyncio.Task[None]] = set()
        # A client that tries again makes no more lines.
        self._warnings = DistinctWarnings(console)

    async def serve(self, listener: socket.socket, stop: asyncio.Event) -> None:
        """Relay connections until `stop`."""
        listener.setblocking(False)
        accepting = asyncio.create_task(self._accept(listener))
        try:
            await stop.wait()
        finally:
            tasks = {accepting, *self._connections}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        room = asyncio.Semaphore(fitting_jobs(MOST_CONNECTIONS, DESCRIPTORS_EACH))

        def end(client: socket.socket, task: asyncio.Task[None]) -> None:
            self._connections.discard(task)
            # A task that is cancelled before it begins closes nothing.
            client.close()
            room.release()

        while True:
            await room.acquire()
            try:
                client, _ = await loop.sock_accept(listener)
            except OSError:
                room.release()
                await asyncio.sleep(PAUSE)
                continue
            task = loop.create_task(self._relay(client))
            self._connections.add(task)
            task.add_done_callback(partial(end, client))

    async def _relay(self, sock: socket.socket) -> None:
        client = PlainStream(sock)
        buffer = memoryview(bytearray(LEAST))
        # A client that has gone raises OSError.
        with suppress(OSError):
            request = bytes(buffer[: await client.receive_into(buffer)])
            if request.startswith(ASKING):
                await answer(client, OK, self._describe(), request)
            elif request:
                await self._pass_on(sock, client, request)
        client.close()

    async def _pass_on(self, sock: socket.socket, client: PlainStream, request: bytes) -> None:
        try:
            endpoint, engine = await self._engine.open()
        except MachineError as exc:
            await self._refuse(client, exc, request)
            return
        joined = Joined(sock, client, engine)
        try:
            failure = await joined.run(request)
        finally:
            engine.close()
        if not joined.has_answered and not joined.client_is_gone:
            await self._refuse(client, early_end(endpoint, failure), request)
        elif joined.has_answered and failure and not joined.client_has_ended:
            # A peer that has sent everything may be gone.
            self._report_fault(MachineError(f"The connection to {endpoint.peer} broke: {failure.strerror or failure}"))

    async def _refuse(self, client: PlainStream, error: MachineError, request: bytes) -> None:
        """Answer as an engine does that fails: the docker CLI prints the message. Raises OSError."""
        self._report_fault(error)
        text = one_line("; ".join(filter(None, (error.cause, error.hint))))
        await answer(client, BAD_GATEWAY, {"message": text}, request)

    def _report_fault(self, error: MachineError) -> None:
        self._warnings.warn(one_line(error.cause), error.hint)


class Joined:
    """A client and the engine, joined until both directions have ended, or one has failed."""

    def __init__(self, sock: socket.socket, client: PlainStream, engine: DuplexStream) -> None:
        self._sock = sock
        self._client = client
        self._engine = engine
        # Whether the engine has sent anything.
        self.has_answered = False
        self.client_has_ended = False
        self.client_is_gone = False

    async def run(self, request: bytes) -> OSError | None:
        """Send what was read of the first request, and all that follows. Return the engine's failure."""
        sending = asyncio.create_task(self._send_requests(request))
        receiving = asyncio.create_task(self._receive_answers())
        tasks = [receiving, sending]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            # One direction has ended. Wait for the other, unless that failed, or its peer is gone.
            is_refused = receiving.done() and not self.has_answered
            has_failed = any(task.result() for task in tasks if task.done())
            if not (is_refused or has_failed or self.client_is_gone):
                await asyncio.wait(tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return next((failure for task in tasks if not task.cancelled() and (failure := task.result())), None)

    async def _send_requests(self, request: bytes) -> OSError | None:
        buffer = memoryview(bytearray(LEAST))
        data = memoryview(request)
        while data:
            try:
                await self._engine.send(data)
            except OSError as exc:
                # The engine's last words may say why: a TLS alert, or an answer.
                return None if not self.has_answered else exc
            buffer = await grown(buffer, len(data))
            try:
                data = buffer[: await self._client.receive_into(buffer)]
            except OSError:
                break
        self.client_has_ended = True
        self.client_is_gone = self.client_is_gone or has_hung_up(self._sock)
        await self._engine.end_sending()
        return None

    async def _receive_answers(self) -> OSError | None:
        buffer = memoryview(bytearray(LEAST))
        while True:
            try:
                count = await self._engine.receive_into(buffer)
            except OSError as exc:
                return exc
            if not count:
                break
            self.has_answered = True
            try:
                await self._client.send(buffer[:count])
            except OSError as exc:
                self.client_has_ended = self.client_is_gone = True
                return exc
            buffer = await grown(buffer, count)
        if self.has_answered:
            await self._client.end_sending()
        return None


async def grown(buffer: memoryview, filled: int) -> memoryview:
    """Return a larger buffer for a stream that fills it. Let other connections take their turn."""
    if filled < len(buffer):
        return buffer
    await asyncio.sleep(0)
    return buffer if len(buffer) >= MOST else memoryview(bytearray(2 * len(buffer)))


async def answer(client: PlainStream, status: str, document: Mapping[str, object], request: bytes) -> None:
    """Answer a request, whose rest may still be on its way. Raises OSError."""
    body = json.dumps(document).encode() + b"\n"
    head = (
        f"HTTP/1.1 {status}",
        f"Server: {SOCKET_SERVER}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    # The answer to HEAD has no body (RFC 9110 9.3.2).
    whole = "\r\n".join([*head, "", ""]).encode() + (b"" if request.startswith(b"HEAD ") else body)
    async with asyncio.timeout(ANSWER_SECONDS):
        buffer = memoryview(bytearray(LEAST))
        # The client reads an answer once it has asked.
        while END_OF_HEAD not in request and len(request) < LONGEST_REQUEST:
            count = await client.receive_into(buffer)
            if not count:
                break
            request += buffer[:count]
        await client.send(memoryview(whole))
        await client.end_sending()
        # To close with data unread would discard the answer.
        while await client.receive_into(buffer):
            pass
