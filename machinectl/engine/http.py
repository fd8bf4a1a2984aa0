"""HTTP/1.1 with an engine: one request per connection."""

from __future__ import annotations

from machinectl import __version__
from machinectl import url as engine_url
from machinectl.engine.endpoint import Deadline, EngineError
from machinectl.engine.response import PIECE, Response
from machinectl.engine.wire import Wire, connect_tcp, connect_unix, keep_alive
from machinectl.errors import Hint, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from machinectl.engine.endpoint import Endpoint


def request(
    endpoint: Endpoint,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    timeout: float | None = 30.0,
    streams: bool = False,
) -> Response:
    """Send a request; return the answer when its headers arrive, whatever its status.

    `timeout` (seconds) applies to connecting, each sent chunk, and the whole answer, or only its headers if it
    `streams`. Raises EngineError or UsageError.
    """
    check_request(method, path)
    wire = dial(endpoint, Deadline(timeout))
    if timeout is None:
        keep_alive(wire.sock)
    try:
        length = {} if body is None else {"Content-Length": str(len(body))}
        send_head(wire, method, path, {**(headers or {}), **length})
        body = body or b""
        for start in range(0, len(body), PIECE):
            wire.deadline = Deadline(timeout)
            wire.send(body[start : start + PIECE])
        wire.deadline = Deadline(timeout)
        response = Response(wire, method)
    except BaseException:
        wire.close()
        raise
    if streams:
        wire.deadline = Deadline(None)
    return response


def upload(
    endpoint: Endpoint, path: str, pieces: Iterable[bytes], headers: Mapping[str, str], *, timeout: float
) -> Response:
    """POST a body of unknown length; return the answer when its headers arrive.

    `timeout` (seconds) applies to connecting and each piece. The answer may take as long as the engine works. Raises
    EngineError.
    """
    wire = dial(endpoint, Deadline(timeout))
    try:
        keep_alive(wire.sock)
        send_head(wire, "POST", path, {**headers, "Transfer-Encoding": "chunked"})
        for piece in pieces:
            wire.deadline = Deadline(timeout)
            wire.send(b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b"")
            if wire.broken:
                # The engine has answered before the end, or has gone.
                break
        else:
            wire.send(b"0\r\n\r\n")
        wire.deadline = Deadline(None)
        try:
            return Response(wire, "POST")
        except EngineError as exc:
            raise EngineError(
                f"The connection to {endpoint.peer} broke before the engine had all", Hint("Run the same command again")
            ) from exc
    except BaseException:
        wire.close()
        raise


def get(wire: Wire, path: str) -> Response:
    """Send a GET. The wire's deadline covers the body."""
    send_head(wire, "GET", path, {})
    return Response(wire, "GET")


def dial(endpoint: Endpoint, deadline: Deadline) -> Wire:
    """Connect to an engine. Raises EngineError, or UsageError for a bad URL."""
    if endpoint.others:
        from machinectl.engine.address_order import dial_first

        wire = dial_first(endpoint, deadline, dial)
        wire.deadline = deadline
        return wire
    url = engine_url.parse_url(endpoint.url)
    if url.scheme == "unix":
        return Wire(connect_unix(endpoint, url.path, deadline), endpoint, deadline)
    # Imported late: `ls` of machines that refuse connections, or have a socket, needs neither.
    if url.scheme == "ssh":
        from machinectl.engine.ssh_wire import connect_ssh

        return connect_ssh(endpoint, url, deadline)
    if endpoint.tls:
        from machinectl.engine.tls import connect_tls

        return connect_tls(endpoint, url, deadline)
    return Wire(connect_tcp(endpoint, url, deadline), endpoint, deadline)


def check_request(method: str, path: str) -> None:
    if not (method.isascii() and method.isalpha()):
        raise UsageError(f"{method!r} is not an HTTP method", Hint("Use GET, POST, PUT, DELETE or HEAD"))
    if not path.startswith("/") or not path.isascii() or not path.isprintable() or " " in path:
        raise UsageError(
            f"{path!r} is not a path of the engine's API",
            Hint("Write it as /images/json?all=true: from the first slash on, percent-encoded"),
        )


def send_head(wire: Wire, method: str, path: str, headers: Mapping[str, str]) -> None:
    host = wire.endpoint.peer if wire.endpoint.url.startswith("tcp://") else "docker"
    lines = [f"{method.upper()} {path} HTTP/1.1", f"Host: {host}", f"User-Agent: machinectl/{__version__}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    wire.send("\r\n".join([*lines, "", ""]).encode())
