"""HTTP/1.1 with an engine (RFC 9112): one request per connection.

http.client would load the modules for mail, which take longer than the answer.
"""

from __future__ import annotations

from machinectl import __version__
from machinectl import url as engine_url
from machinectl.engine.endpoint import Deadline, EngineError
from machinectl.engine.wire import Wire, connect_tcp, connect_unix, keep_alive
from machinectl.errors import Hint, UsageError, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import TracebackType
    from typing import Self

    from machinectl.engine.endpoint import Endpoint

PIECE = 65536
# Limits: bytes of a line, header lines (as http.client), and digits.
LONGEST_LINE, MOST_HEADERS, LONGEST_NUMBER = 65536, 100, 16
# No engine sends an answer before the final one: we do not ask it to (Expect).
WITHOUT_BODY = {*range(100, 200), 204, 304}
# Go's http.Server answers plain HTTP on a TLS port with this status and no headers.
BAD_REQUEST = 400
HEXADECIMAL = frozenset("0123456789abcdefABCDEF")


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


class Response:
    """The head of an answer, its headers by their names in lower case; iterate for its body. Close after use.

    Raises EngineError.
    """

    def __init__(self, wire: Wire, method: str) -> None:
        self.wire = wire
        self._file = wire.reader()
        version, self.status, self.reason = self._read_status()
        self.headers = self._read_headers()
        if self.status == BAD_REQUEST and not self.headers:
            raise wants_tls(wire.endpoint)
        encoding = self.header("Transfer-Encoding").lower()
        if encoding not in {"", "identity", "chunked"}:
            raise malformed(wire.endpoint, f"it has the transfer encoding {encoding[:40]!r}")
        self._is_chunked = encoding == "chunked"
        # Bytes left of the body, or of its chunk; None: until the connection ends (RFC 9112, 6.3).
        length = self.header("Content-Length")
        self._left = 0 if self._is_chunked else self._number(length, 10) if length else None
        self._is_over = method.upper() == "HEAD" or self.status in WITHOUT_BODY
        connection = self.header("Connection").lower()
        keeps = "close" not in connection and (version != "HTTP/1.0" or "keep-alive" in connection)
        self.will_close = not keeps or (self._left is None and not self._is_over)

    @property
    def failed(self) -> bool:
        return self.status >= BAD_REQUEST

    def header(self, name: str) -> str:
        """Return the first of several, "" if there is none."""
        return self.headers.get(name.lower(), "")

    def __iter__(self) -> Iterator[bytes]:
        while piece := self._read_piece():
            yield piece

    def read(self, limit: int) -> bytes:
        """Return the body. Raises EngineError above `limit` bytes."""
        body = bytearray()
        for piece in self:
            body += piece
            if len(body) > limit:
                raise not_docker(self.wire.endpoint, f"its answer has more than {limit:,} bytes")
        return bytes(body)

    def close(self) -> None:
        self._is_over = True
        self._file.close()
        self.wire.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()

    def _read_piece(self) -> bytes:
        """Return at least one byte of the body, or b"" at its end."""
        if self._is_over:
            return b""
        if self._is_chunked and not self._left:
            self._left = self._number(self._read_line().partition(";")[0].strip(), 16)
            if not self._left:
                # Headers may follow the last chunk.
                self._read_headers()
        if self._left == 0:
            self._is_over = True
            return b""
        piece = self._file.read1(PIECE if self._left is None else min(PIECE, self._left))
        if self._left is None:
            self._is_over = not piece
            return piece
        if not piece:
            raise cut_short(self.wire.endpoint)
        self._left -= len(piece)
        if self._is_chunked and not self._left and self._read_line():
            raise cut_short(self.wire.endpoint)
        return piece

    def _read_line(self) -> str:
        line = self._file.readline(LONGEST_LINE + 1)
        if len(line) > LONGEST_LINE:
            raise malformed(self.wire.endpoint, f"a line has more than {LONGEST_LINE} bytes")
        if not line.endswith(b"\n"):
            raise cut_short(self.wire.endpoint)
        return line.rstrip(b"\r\n").decode("iso-8859-1")

    def _read_status(self) -> tuple[str, int, str]:
        raw = self._file.readline(LONGEST_LINE + 1)
        if not raw:
            raise self.wire.silence()
        line = raw[:LONGEST_LINE].rstrip(b"\r\n").decode("iso-8859-1")
        version, _, rest = line.partition(" ")
        code, _, reason = rest.strip().partition(" ")
        if not version.startswith("HTTP/1.") or not (len(code) == len("200") and code.isascii() and code.isdigit()):
            # A TLS alert: content type 21, version 3.x (RFC 8446 5.1).
            is_tls = line.startswith("\x15\x03")
            raise wants_tls(self.wire.endpoint) if is_tls else malformed(self.wire.endpoint, repr(line[:40]))
        if not raw.endswith(b"\n"):
            raise cut_short(self.wire.endpoint)
        return version, int(code), one_line(reason)

    def _read_headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        for _ in range(MOST_HEADERS + 1):
            line = self._read_line()
            if not line:
                return headers
            name, colon, value = line.partition(":")
            # Skip lines that begin with a blank: they continue a header, and engines send none.
            if colon and not line[0].isspace():
                headers.setdefault(name.strip().lower(), value.strip())
        raise malformed(self.wire.endpoint, f"it has more than {MOST_HEADERS} headers")

    def _number(self, digits: str, base: int) -> int:
        if not (0 < len(digits) <= LONGEST_NUMBER and HEXADECIMAL.issuperset(digits)):
            raise malformed(self.wire.endpoint, f"it has the length {digits[:40]!r}")
        try:
            return int(digits, base)
        except ValueError as exc:
            raise malformed(self.wire.endpoint, f"it has the length {digits!r}") from exc


def malformed(endpoint: Endpoint, what: str) -> EngineError:
    return not_docker(endpoint, f"its answer is not HTTP ({what})")


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
