"""Relay the connections of a unix socket to an engine."""

from __future__ import annotations

import asyncio
import json
import select
from functools import partial
from typing import TYPE_CHECKING

from machinectl.descriptors import fitting_jobs
from machinectl.engine.duplex.duplex_dial import no_answer
from machinectl.engine.duplex.duplex_stream import PlainStream
from machinectl.engine.probe import SOCKET_SERVER
from machinectl.errors import Hint, MachineError, one_line

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from machinectl.engine import Endpoint
    from machinectl.engine.duplex.duplex_stream import DuplexStream
    from machinectl.tunnels.machine_engine import MachineEngine

# Bytes of a direction's buffer, at first and at most: a thousand silent connections need little.
LEAST, MOST = 1 << 14, 1 << 18
# Bytes of a request that gets an error as its answer, and seconds to send it, and to read that.
LONGEST_REQUEST, REFUSAL_SECONDS = 1 << 20, 5.0
# Connections, each with two descriptors: macOS allows 256.
FEW_CONNECTIONS, MOST_CONNECTIONS, DESCRIPTORS_EACH = 64, 4000, 2
# Connections that are accepted at once.
MOST_ACCEPTED = 64
# Seconds without new connections if this process has too many files open.
PAUSE = 0.1
# Seconds until it is noticed that a client is gone which had ended its own direction.
HANG_UP_SECONDS = 5.0
END_OF_HEAD = b"\r\n\r\n"


class Relay:
    """`note` and `warn` take a text for the log, and a hint."""

    def __init__(self, engine: MachineEngine, note: Callable[[str], None], warn: Callable[[str, Hint], None]) -> None:
        self._engine = engine
        self._note = note
        self._warn = warn
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
                    self._report_full()
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
        if len(self._connections) < self._most // 2:
            self._is_full = False
        return len(self._connections) < self._most

    def _report_full(self) -> None:
        """Say it once: under load, places become free and are taken again."""
        if not self._is_full:
            self._is_full = True
            self._warn("Too many connections are open here", Hint("Allow more", "ulimit -n 8192"))

    async def _relay(self, sock: socket.socket) -> None:
        client = PlainStream(sock)
        try:
            if has_hung_up(sock):
                # Somebody asked who listens.
                return
            try:
                endpoint, engine = await self._engine.open()
            except MachineError as exc:
                self._report_fault(exc)
                await refuse(client, exc, b"")
                return
            try:
                await self._join(Joined(sock, client, engine, self._report_recovery), endpoint)
            finally:
                engine.close()
        except OSError:
            # The client has gone.
            return
        finally:
            client.close()

    async def _join(self, joined: Joined, endpoint: Endpoint) -> None:
        failure = await joined.run()
        if joined.has_answered:
            # A peer that has sent everything may be gone.
            if failure and not joined.client_has_ended:
                self._report_fault(
                    MachineError(f"The connection to {endpoint.peer} broke: {failure.strerror or failure}")
                )
            return
        if joined.client_is_gone:
            return
        error = no_answer(endpoint, failure)
        self._report_fault(error)
        await refuse(joined.client, error, joined.request)

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
        self.client = client
        self._engine = engine
        # The begin of the client's first request, and whether the engine has sent anything.
        self.request = b""
        self.has_answered = False
        self.client_has_ended = False
        self.client_is_gone = False

    async def run(self) -> OSError | None:
        """Return the engine's failure."""
        sending = asyncio.create_task(self._send_requests())
        receiving = asyncio.create_task(self._receive_answers())
        tasks = {sending, receiving}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if not receiving.done() or (self.has_answered and receiving.result() is None):
                await self._wait_for_the_other(sending, receiving)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        failures = [task.result() for task in (receiving, sending) if not task.cancelled()]
        return next(filter(None, failures), None)

    async def _wait_for_the_other(self, *tasks: asyncio.Task[OSError | None]) -> None:
        """One direction has ended. Wait for the other, unless that failed, or the client is gone."""
        waiting = {task for task in tasks if not task.done()}
        ended = [task for task in tasks if task.done()]
        while waiting and not self.client_is_gone and not any(task.result() for task in ended):
            _, waiting = await asyncio.wait(waiting, timeout=HANG_UP_SECONDS)
            if waiting and has_hung_up(self._sock):
                self.client_is_gone = True

    async def _send_requests(self) -> OSError | None:
        buffer = memoryview(bytearray(LEAST))
        while count := await self._received_from_client(buffer):
            self.request = self.request or bytes(buffer[:count])
            try:
                await self._engine.send(buffer[:count])
            except OSError as exc:
                # The engine's last words may say why: a TLS alert, or an answer.
                return None if not self.has_answered else exc
            buffer = await grown(buffer, count)
        self.client_has_ended = True
        self.client_is_gone = self.client_is_gone or has_hung_up(self._sock)
        await self._engine.end_sending()
        return None

    async def _received_from_client(self, buffer: memoryview) -> int:
        try:
            return await self.client.receive_into(buffer)
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
                await self.client.send(buffer[:count])
            except OSError as exc:
                self.client_has_ended = self.client_is_gone = True
                return exc
            buffer = await grown(buffer, count)
        if self.has_answered:
            await self.client.end_sending()
        return None


def close_after(sock: socket.socket, _: object) -> None:
    sock.close()


async def grown(buffer: memoryview, filled: int) -> memoryview:
    """Return a larger buffer for a stream that fills it. Let other connections take their turn."""
    if filled < len(buffer):
        return buffer
    await asyncio.sleep(0)
    return buffer if len(buffer) >= MOST else memoryview(bytearray(2 * len(buffer)))


def has_hung_up(sock: socket.socket) -> bool:
    """Return whether the peer has closed its socket, not only its direction."""
    watch = select.poll()
    watch.register(sock, 0)
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in watch.poll(0))


def error_text(error: MachineError) -> str:
    return one_line("; ".join(filter(None, (error.cause, error.hint))))


async def refuse(client: PlainStream, error: MachineError, request: bytes) -> None:
    """Answer a request as an engine does that fails: the docker CLI prints the message. Raises OSError.

    The request may still be on its way: an engine can refuse a certificate before its client asks.
    """
    async with asyncio.timeout(REFUSAL_SECONDS):
        buffer = memoryview(bytearray(LEAST))
        # The client reads an answer once it has asked.
        while END_OF_HEAD not in request and len(request) < LONGEST_REQUEST:
            count = await client.receive_into(buffer)
            if not count:
                break
            request += buffer[:count]
        if not request:
            return
        await client.send(memoryview(refusal(error, request)))
        await client.end_sending()
        # To close with data unread would discard the answer.
        while await client.receive_into(buffer):
            pass


def refusal(error: MachineError, request: bytes) -> bytes:
    body = json.dumps({"message": error_text(error)}).encode() + b"\n"
    head = (
        "HTTP/1.1 502 Bad Gateway",
        f"Server: {SOCKET_SERVER}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    # The answer to HEAD has no body (RFC 9110 9.3.2).
    return "\r\n".join([*head, "", ""]).encode() + (b"" if request.startswith(b"HEAD ") else body)
