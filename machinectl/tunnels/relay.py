"""Relay the connections of a unix socket to an engine."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from machinectl.descriptors import fitting_jobs
from machinectl.engine.duplex_dial import no_answer
from machinectl.engine.duplex_stream import PlainStream
from machinectl.engine.probe import SOCKET_SERVER
from machinectl.errors import Hint, MachineError, one_line
from machinectl.tunnels.local_sockets import ASKING
from machinectl.tunnels.machine_engine import has_hung_up

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from machinectl.engine.duplex_stream import DuplexStream
    from machinectl.tunnels.machine_engine import MachineEngine

# Bytes of a direction's buffer, at first and at most: a thousand silent connections need little.
LEAST, MOST = 1 << 14, 1 << 18
# Bytes of a request that we answer, and seconds to read it and to send that.
LONGEST_REQUEST, ANSWER_SECONDS = 1 << 20, 5.0
# Connections, each with two descriptors: macOS allows 256.
FEW_CONNECTIONS, MOST_CONNECTIONS, DESCRIPTORS_EACH = 64, 4000, 2
# Connections that are accepted at once.
MOST_ACCEPTED = 64
# Seconds without new connections if this process has too many files open.
PAUSE = 0.1
# Seconds until it is noticed that a client is gone which had ended its own direction.
HANG_UP_SECONDS = 5.0
END_OF_HEAD = b"\r\n\r\n"
OK, BAD_GATEWAY = "200 OK", "502 Bad Gateway"


class Relay:
    """`note` and `warn` take a text for the log, and a hint. `describe` says whose socket it is."""

    def __init__(
        self,
        engine: MachineEngine,
        note: Callable[[str], None],
        warn: Callable[[str, Hint], None],
        describe: Callable[[], Mapping[str, object]],
    ) -> None:
        self._engine = engine
        self._note = note
        self._warn = warn
        self._describe = describe
        self._connections: set[asyncio.Task[None]] = set()
        # The reported faults of the engine since it last answered.
        self._faults: set[str] = set()
        # How many connections fit below the limit of open files.
        self._most = FEW_CONNECTIONS
        self._is_full = False

    async def serve(self, listener: socket.socket, stop: asyncio.Event) -> None:
        """Relay connections until `stop`."""
        listener.setblocking(False)
        loop = asyncio.get_running_loop()

        def accept() -> None:
            for _ in range(MOST_ACCEPTED):
                if not self._has_room():
                    loop.remove_reader(listener)
                    loop.call_later(PAUSE, loop.add_reader, listener, accept)
                    return
                try:
                    client, _ = listener.accept()
                except OSError:
                    # No more wait.
                    return
                task = loop.create_task(self._relay(client))
                self._connections.add(task)
                task.add_done_callback(self._connections.discard)
                # A task that is cancelled before it begins closes nothing.
                task.add_done_callback(partial(close_after, client))

        loop.add_reader(listener, accept)
        try:
            await stop.wait()
        finally:
            loop.remove_reader(listener)
            for task in self._connections:
                task.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    def _has_room(self) -> bool:
        """Raise the limit of open files only if it is needed: the command at the socket inherits it."""
        if len(self._connections) >= self._most:
            self._most = fitting_jobs(MOST_CONNECTIONS, DESCRIPTORS_EACH)
        has_room = len(self._connections) < self._most
        # Say it once: under load, places become free and are taken again.
        if not has_room and not self._is_full:
            self._warn("Too many connections are open here", Hint("Allow more", "ulimit -n 8192"))
        self._is_full = not has_room or (self._is_full and len(self._connections) >= self._most // 2)
        return has_room

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
        joined = Joined(sock, client, engine, self._report_recovery)
        try:
            failure = await joined.run(request)
        finally:
            engine.close()
        if not joined.has_answered and not joined.client_is_gone:
            await self._refuse(client, no_answer(endpoint, failure), request)
        elif joined.has_answered and failure and not joined.client_has_ended:
            # A peer that has sent everything may be gone.
            self._report_fault(MachineError(f"The connection to {endpoint.peer} broke: {failure.strerror or failure}"))

    async def _refuse(self, client: PlainStream, error: MachineError, request: bytes) -> None:
        """Answer as an engine does that fails: the docker CLI prints the message. Raises OSError."""
        self._report_fault(error)
        text = one_line("; ".join(filter(None, (error.cause, error.hint))))
        await answer(client, BAD_GATEWAY, {"message": text}, request)

    def _report_fault(self, error: MachineError) -> None:
        """Say what is new: a client that tries again makes no more lines."""
        if str(error) not in self._faults:
            self._faults.add(str(error))
            self._warn(one_line(error.cause), error.hint)

    def _report_recovery(self) -> None:
        if self._faults:
            self._faults.clear()
            self._note("The engine answers again")


class Joined:
    """A client and the engine, joined until both directions have ended, or one has failed."""

    def __init__(
        self, sock: socket.socket, client: PlainStream, engine: DuplexStream, on_answer: Callable[[], None]
    ) -> None:
        self._sock = sock
        self._on_answer = on_answer
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
        tasks = {sending, receiving}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if not receiving.done() or (self.has_answered and receiving.result() is None):
                await self._wait_for_the_other(tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        failures = [task.result() for task in (receiving, sending) if not task.cancelled()]
        return next(filter(None, failures), None)

    async def _wait_for_the_other(self, tasks: set[asyncio.Task[OSError | None]]) -> None:
        """One direction has ended. Wait for the other, unless that failed, or the client is gone."""
        ended = [task for task in tasks if task.done()]
        waiting = tasks.difference(ended)
        while waiting and not self.client_is_gone and not any(task.result() for task in ended):
            _, waiting = await asyncio.wait(waiting, timeout=HANG_UP_SECONDS)
            self.client_is_gone = bool(waiting) and has_hung_up(self._sock)

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
            data = buffer[: await self._received_from_client(buffer)]
        self.client_has_ended = True
        self.client_is_gone = self.client_is_gone or has_hung_up(self._sock)
        await self._engine.end_sending()
        return None

    async def _received_from_client(self, buffer: memoryview) -> int:
        try:
            return await self._client.receive_into(buffer)
        except OSError:
            self.client_is_gone = True
            return 0

    async def _receive_answers(self) -> OSError | None:
        buffer = memoryview(bytearray(LEAST))
        while True:
            try:
                count = await self._engine.receive_into(buffer)
            except OSError as exc:
                return exc
            if not count:
                break
            if not self.has_answered:
                self.has_answered = True
                self._on_answer()
            try:
                await self._client.send(buffer[:count])
            except OSError as exc:
                self.client_has_ended = self.client_is_gone = True
                return exc
            buffer = await grown(buffer, count)
        if self.has_answered:
            await self._client.end_sending()
        return None


def close_after(sock: socket.socket, _: object) -> None:
    sock.close()


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
