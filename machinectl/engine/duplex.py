"""Connections to an engine whose two directions work, and end, apart. For asyncio."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from machinectl.engine import tls
from machinectl.engine.address_order import dial_first
from machinectl.engine.endpoint import Deadline, EngineError
from machinectl.engine.wire import connect_tcp, connect_unix, keep_alive, no_answer
from machinectl.url import parse_url

if TYPE_CHECKING:
    from machinectl.engine.endpoint import Endpoint

# Bytes of encrypted data to read at once.
MOST_ENCRYPTED = 1 << 18


async def open_stream(endpoint: Endpoint, context: ssl.SSLContext | None, seconds: float) -> DuplexStream:
    """Connect by tcp (with TLS if there is a `context`) or to a unix socket, within `seconds`. Raises EngineError."""
    return await asyncio.to_thread(dial_first, endpoint, Deadline(seconds), partial(connect_stream, context))


def connect_stream(context: ssl.SSLContext | None, endpoint: Endpoint, deadline: Deadline) -> DuplexStream:
    sock = connect_socket(endpoint, deadline)
    if not context:
        return PlainStream(sock)
    host = parse_url(endpoint.url).host
    stream = TLSStream(sock, context, host)
    try:
        stream.shake_hands(deadline)
    except OSError as exc:
        sock.close()
        raise tls.handshake_error(endpoint, host, exc, deadline, stream.tls) from exc
    except BaseException:
        sock.close()
        raise
    return stream


def connect_socket(endpoint: Endpoint, deadline: Deadline) -> socket.socket:
    url = parse_url(endpoint.url)
    if url.scheme == "unix":
        return connect_unix(endpoint, url.path, deadline)
    sock = connect_tcp(endpoint, url, deadline)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    keep_alive(sock)
    return sock


def early_end(endpoint: Endpoint, exc: OSError | None) -> EngineError:
    """Return why a connection ended before the engine's first byte; `exc` is None if the engine closed it."""
    if isinstance(exc, ssl.SSLError) and not isinstance(exc, ssl.SSLEOFError):
        return tls.refused_by_engine(endpoint, exc)
    return tls.closed_after_handshake(endpoint) if endpoint.tls else no_answer(endpoint)


class PlainStream:
    """A connected socket of any family. Calls raise OSError; close it when no other call waits."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock

    async def receive_into(self, buffer: memoryview) -> int:
        """Wait for data, and return how much of the buffer it fills; 0 at the peer's end."""
        return await asyncio.get_running_loop().sock_recv_into(self._sock, buffer)

    async def send(self, data: memoryview) -> None:
        await asyncio.get_running_loop().sock_sendall(self._sock, data)

    async def end_sending(self) -> None:
        """Tell the peer that no more data follows. It may go on sending."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._sock.close()


class TLSStream:
    """TLS over memory buffers: unlike a TLS socket, it can read on after it has ended its own direction."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, host: str) -> None:
        self._sock = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        # Names in certificates never have the trailing dot.
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host.rstrip("."))
        # Both directions send: reading answers key updates.
        self._sending = asyncio.Lock()
        # Decrypted before its time, by `end_sending`.
        self._early = bytearray()

    def shake_hands(self, deadline: Deadline) -> None:
        """Raises OSError, of which ssl.SSLError is one."""
        is_done = False
        while not is_done:
            self._sock.settimeout(deadline.remaining())
            try:
                self.tls.do_handshake()
                is_done = True
            except ssl.SSLWantReadError:
                self._sock.sendall(self._outgoing.read())
                self._take(self._sock.recv(MOST_ENCRYPTED))
            except ssl.SSLError:
                # The alert tells the peer why.
                with suppress(OSError):
                    self._sock.sendall(self._outgoing.read())
                raise
        self._sock.sendall(self._outgoing.read())
        self._sock.setblocking(False)

    async def receive_into(self, buffer: memoryview) -> int:
        if self._early:
            count = min(len(buffer), len(self._early))
            buffer[:count] = self._early[:count]
            del self._early[:count]
            return count
        while True:
            count, is_over = self._decrypt(buffer)
            if self._outgoing.pending:
                await self._flush()
            if count or is_over:
                return count
            self._take(await asyncio.get_running_loop().sock_recv(self._sock, len(buffer)))

    async def send(self, data: memoryview) -> None:
        async with self._sending:
            while data:
                data = data[self.tls.write(data) :]
            await self._send_encrypted()

    async def end_sending(self) -> None:
        # unwrap() fails if there is something to read.
        piece = memoryview(bytearray(MOST_ENCRYPTED))
        with suppress(OSError):
            while count := self._decrypt(piece)[0]:
                self._early += piece[:count]
        with suppress(ssl.SSLError):
            self.tls.unwrap()
        with suppress(OSError):
            await self._flush()

    def close(self) -> None:
        self._sock.close()

    def _decrypt(self, buffer: memoryview) -> tuple[int, bool]:
        """Return how much of what has arrived fills the buffer, and whether the peer has ended. Raises OSError."""
        count = 0
        try:
            while count < len(buffer):
                size = self.tls.read(len(buffer) - count, buffer[count:])
                if not size:
                    return count, True
                count += int(size)
        except ssl.SSLWantReadError:
            return count, False
        except ssl.SSLZeroReturnError:
            return count, True
        except ssl.SSLError:
            # The data before the error comes first. The next call fails again.
            if not count:
                raise
        return count, False

    def _take(self, data: bytes) -> None:
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    async def _flush(self) -> None:
        async with self._sending:
            await self._send_encrypted()

    async def _send_encrypted(self) -> None:
        if data := self._outgoing.read():
            await asyncio.get_running_loop().sock_sendall(self._sock, data)


DuplexStream = PlainStream | TLSStream
