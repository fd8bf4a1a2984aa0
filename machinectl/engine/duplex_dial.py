"""Open a duplex stream to an engine. For asyncio."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from typing import TYPE_CHECKING

from machinectl import url as engine_url
from machinectl.engine import tls
from machinectl.engine.address_order import AddressTries
from machinectl.engine.duplex_stream import PlainStream, TLSStream
from machinectl.engine.endpoint import Deadline, EngineError
from machinectl.engine.sockets import closed_socket, none_accepts, resolve_endpoint, unreachable
from machinectl.engine.wire import keep_alive
from machinectl.errors import Hint

if TYPE_CHECKING:
    from machinectl.engine.duplex_stream import DuplexStream
    from machinectl.engine.endpoint import Endpoint
    from machinectl.engine.sockets import Address
    from machinectl.url import EngineURL

# Seconds until a unix socket with a full queue is tried again.
PAUSE = 0.02


async def open_stream(endpoint: Endpoint, context: ssl.SSLContext | None, seconds: float) -> DuplexStream:
    """Connect by tcp (with TLS if there is a `context`) or to a unix socket, within `seconds`. Raises EngineError."""
    if endpoint.others:
        return await open_first(endpoint, context, seconds)
    url = engine_url.parse_url(endpoint.url)
    deadline = Deadline(seconds)
    if url.scheme == "unix":
        return PlainStream(await connect_unix_socket(endpoint, url.path, deadline))
    sock = await connect_host(endpoint, url, deadline)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        keep_alive(sock)
        if context is None:
            return PlainStream(sock)
        return await secured(sock, context, endpoint, url, deadline)
    except BaseException:
        sock.close()
        raise


async def open_first(endpoint: Endpoint, context: ssl.SSLContext | None, seconds: float) -> DuplexStream:
    """See `dial_first`."""
    tries, deadline = AddressTries(endpoint), Deadline(seconds)
    while one := tries.next():
        try:
            stream = await open_stream(one, context, tries.share(deadline).left(time.monotonic()))
        except EngineError as exc:
            tries.fail(one, exc)
        else:
            tries.succeed(one)
            return stream
    raise tries.error()


async def secured(
    sock: socket.socket, context: ssl.SSLContext, endpoint: Endpoint, url: EngineURL, deadline: Deadline
) -> TLSStream:
    stream = TLSStream(sock, context, url.host)
    try:
        async with asyncio.timeout(deadline.remaining()):
            await stream.shake_hands()
    except TimeoutError as exc:
        raise tls.silent_in_handshake(endpoint, deadline) from exc
    except tls.CLOSED_IN_HANDSHAKE as exc:
        raise tls.closed_in_handshake(endpoint) from exc
    except ssl.SSLCertVerificationError as exc:
        raise tls.untrusted(endpoint, url.host, exc) from exc
    except ssl.SSLError as exc:
        error = tls.refused_by_engine if stream.has_verified else tls.tls_error
        raise error(endpoint, exc) from exc
    except OSError as exc:
        raise unreachable(endpoint, exc, deadline) from exc
    return stream


async def connect_host(endpoint: Endpoint, url: EngineURL, deadline: Deadline) -> socket.socket:
    """Connect to the first address that accepts."""
    if engine_url.is_address(url.host):
        addresses = resolve_endpoint(endpoint, url, deadline)
    else:
        addresses = await asyncio.to_thread(resolve_endpoint, endpoint, url, deadline)
    failures: list[OSError] = []
    for done, address in enumerate(addresses):
        try:
            left = deadline.remaining() or 0
            async with asyncio.timeout(left / (len(addresses) - done)):
                return await connected_stream(address)
        except OSError as exc:
            failures.append(exc)
    raise none_accepts(endpoint, failures, deadline)


async def connected_stream(address: Address) -> socket.socket:
    family, place = address
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, place)
    except BaseException:
        sock.close()
        raise
    return sock


async def connect_unix_socket(endpoint: Endpoint, path: str, deadline: Deadline) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        while True:
            try:
                sock.connect(path)
            except BlockingIOError:
                # Its queue is full (connect(2)); sock_connect takes that for the beginning of a connection.
                deadline.remaining()
                await asyncio.sleep(PAUSE)
            else:
                return sock
    except OSError as exc:
        sock.close()
        raise closed_socket(endpoint, exc, deadline) from exc
    except BaseException:
        sock.close()
        raise


def no_answer(endpoint: Endpoint, exc: OSError | None) -> EngineError:
    """Return why a connection ended before the engine's first byte; `exc` is None if the engine closed it."""
    if isinstance(exc, ssl.SSLError) and not isinstance(exc, ssl.SSLEOFError):
        return tls.refused_by_engine(endpoint, exc)
    if endpoint.tls:
        return tls.closed_after_handshake(endpoint)
    return EngineError(
        f"{endpoint.peer} closes the connection without an answer",
        Hint("Check that an engine is at that address", "machinectl url", endpoint.name),
    )
