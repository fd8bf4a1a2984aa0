"""HTTP/1.1 with an engine: one request per connection."""

from __future__ import annotations

from machinectl import __version__
from machinectl import url as engine_url
from machinectl.engine.dialling.deadline_socket import Wire
from machinectl.engine.dialling.sockets import connect_tcp, connect_unix
from machinectl.engine.endpoint import Deadline, EngineError
from machinectl.engine.http_answer import Answer, CutShortError, InvalidAnswerError, NoAnswerError
from machinectl.errors import Hint, UsageError, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import TracebackType
    from typing import Self

    from machinectl.engine.endpoint import Endpoint

PIECE = 65536
# Go's http.Server answers plain HTTP on a TLS port with this status and no headers.
BAD_REQUEST = 400


class Response:
    """An engine's answer. Iterate for body chunks; close after use."""

    def __init__(self, wire: Wire, raw: Answer) -> None:
        self.status = raw.status
        self.reason = one_line(raw.reason)
        self.headers = raw.headers
        self.wire = wire
        self.raw = raw

    @property
    def failed(self) -> bool:
        return self.status >= BAD_REQUEST

    def __iter__(self) -> Iterator[bytes]:
        try:
            while piece := self.raw.read_piece(PIECE):
                yield piece
        except (CutShortError, InvalidAnswerError) as exc:
            raise cut_short(self.wire.endpoint) from exc

    def read(self, limit: int) -> bytes:
        """Return the body. Raises EngineError above `limit` bytes."""
        body = bytearray()
        for piece in self:
            body += piece
            if len(body) > limit:
                raise not_docker(self.wire.endpoint, f"its answer has more than {limit:,} bytes")
        return bytes(body)

    def close(self) -> None:
        self.raw.close()
        self.wire.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()


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
        wire.keep_alive()
    try:
        length = {} if body is None else {"Content-Length": str(len(body))}
        send_head(wire, method, path, {**(headers or {}), **length})
        body = body or b""
        for start in range(0, len(body), PIECE):
            wire.deadline = Deadline(timeout)
            wire.send(body[start : start + PIECE])
        wire.deadline = Deadline(timeout)
        response = receive_head(wire, method)
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
        wire.keep_alive()
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
            return receive_head(wire, "POST")
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
    return receive_head(wire, "GET")


def dial(endpoint: Endpoint, deadline: Deadline) -> Wire:
    """Connect to an engine. Raises EngineError, or UsageError for a bad URL."""
    if endpoint.others:
        from machinectl.engine.dialling.address_order import dial_first

        return dial_first(endpoint, deadline, dial)
    url = engine_url.parse_url(endpoint.url)
    if url.scheme == "unix":
        return Wire(connect_unix(endpoint, url.path, deadline), endpoint, deadline)
    # Imported late: `ls` of machines that refuse connections, or have a socket, needs neither.
    if url.scheme == "ssh":
        from machinectl.engine.dialling.ssh_socket import connect_kept

        return connect_kept(endpoint, url, deadline)
    if endpoint.tls:
        from machinectl.engine.dialling.tls import connect_tls

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


def receive_head(wire: Wire, method: str) -> Response:
    try:
        raw = Answer(wire.reader(), method.upper())
    except NoAnswerError as exc:
        raise wire.silence() from exc
    except CutShortError as exc:
        raise cut_short(wire.endpoint) from exc
    except InvalidAnswerError as exc:
        raise not_http(wire.endpoint, exc) from exc
    if raw.status == BAD_REQUEST and not raw.headers.keys():
        raise wants_tls(wire.endpoint)
    return Response(wire, raw)


def not_http(endpoint: Endpoint, exc: InvalidAnswerError) -> EngineError:
    line = exc.line
    # A TLS alert: content type 21, version 3.x (RFC 8446 5.1).
    if line.startswith("\x15\x03"):
        return wants_tls(endpoint)
    if endpoint.url.startswith("ssh://"):
        return EngineError(
            f"{endpoint.peer}: the host prints {exc} before any answer of the engine",
            Hint(
                "Look on the host for what prints it: a start-up file such as ~/.bashrc, command= before the key in "
                "~/.ssh/authorized_keys, or ForceCommand in sshd_config"
            ),
        )
    if line.startswith("SSH-"):
        return not_docker(endpoint, "an SSH server answers there")
    return not_docker(endpoint, f"its answer is not HTTP ({exc})")


def not_docker(endpoint: Endpoint, found: str) -> EngineError:
    return EngineError(
        f"{endpoint.peer} is not a Docker engine: {found}",
        Hint("Set the engine's address", "machinectl set --url <URL>", endpoint.name),
    )


def wants_tls(endpoint: Endpoint) -> EngineError:
    return EngineError(
        f"{endpoint.peer} speaks TLS, and the machine is set to plain HTTP",
        Hint("Speak TLS to it", "machinectl set --tls", endpoint.name),
    )


def cut_short(endpoint: Endpoint) -> EngineError:
    return EngineError(
        f"The answer of {endpoint.peer} is cut short",
        Hint("Try again") | Hint("if it stays so, look at the engine's journal on its host", "journalctl -u docker"),
    )
