"""An engine's answer in HTTP/1.1 (RFC 9112).

http.client would load the modules for mail, which take longer than the answer.
"""

from __future__ import annotations

from machinectl.engine.endpoint import EngineError
from machinectl.errors import Hint, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, KeysView
    from types import TracebackType
    from typing import Self

    from machinectl.engine.endpoint import Endpoint
    from machinectl.engine.wire import Wire

PIECE = 65536
# The limits of http.client: bytes of a line, and header lines.
LONGEST_LINE, MOST_HEADERS = 65536, 100
# Digits.
LONGEST_NUMBER = 16
# Answers before the final one (RFC 9110, 15.2). After 101, the other protocol follows.
MOST_INTERIM = 100
INTERIM = {*range(100, 200)} - {101}
WITHOUT_BODY = {101, 204, 304}
# Go's http.Server answers plain HTTP on a TLS port with this status and no headers.
BAD_REQUEST = 400
HEXADECIMAL = frozenset("0123456789abcdefABCDEF")


class Headers:
    """Headers by name, in any case; the first of several counts."""

    def __init__(self, pairs: Iterator[tuple[str, str]]) -> None:
        self._values: dict[str, str] = {}
        for name, value in pairs:
            self._values.setdefault(name.lower(), value)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._values

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def get(self, name: str, default: str = "") -> str:
        return self._values.get(name.lower(), default)

    def keys(self) -> KeysView[str]:
        return self._values.keys()


class Response:
    """The head of an answer; iterate for its body. Close after use. Raises EngineError."""

    def __init__(self, wire: Wire, method: str) -> None:
        self.wire = wire
        self._file = wire.reader()
        version, self.status, self.reason = self._read_final_status()
        self.headers = self._read_headers()
        if self.status == BAD_REQUEST and not self.headers.keys():
            raise wants_tls(wire.endpoint)
        self._is_chunked = is_chunked(wire.endpoint, self.headers)
        # Bytes left of the body, or of its chunk; None: until the connection ends.
        self._left = 0 if self._is_chunked else body_length(wire.endpoint, self.headers)
        self._is_over = method.upper() == "HEAD" or self.status in WITHOUT_BODY
        connection = self.headers.get("Connection").lower()
        keeps = "close" not in connection and (version != "HTTP/1.0" or "keep-alive" in connection)
        self.will_close = not keeps or (self._left is None and not self._is_over)

    @property
    def failed(self) -> bool:
        return self.status >= BAD_REQUEST

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
            self._left = self._read_chunk_size()
            if not self._left:
                self._skip_trailer()
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
            raise invalid(self.wire.endpoint, f"a line has more than {LONGEST_LINE} bytes")
        if not line.endswith(b"\n"):
            raise cut_short(self.wire.endpoint)
        return line.rstrip(b"\r\n").decode("iso-8859-1")

    def _read_final_status(self) -> tuple[str, int, str]:
        for _ in range(MOST_INTERIM + 1):
            version, status, reason = self._read_status()
            if status not in INTERIM:
                return version, status, one_line(reason)
            self._read_headers()
        raise invalid(self.wire.endpoint, f"it has more than {MOST_INTERIM} interim answers")

    def _read_status(self) -> tuple[str, int, str]:
        raw = self._file.readline(LONGEST_LINE + 1)
        if not raw:
            raise self.wire.silence()
        line = raw[:LONGEST_LINE].rstrip(b"\r\n").decode("iso-8859-1")
        version, _, rest = line.partition(" ")
        code, _, reason = rest.strip().partition(" ")
        if not version.startswith("HTTP/1.") or not (len(code) == len("200") and code.isascii() and code.isdigit()):
            raise not_http(self.wire.endpoint, line)
        if not raw.endswith(b"\n"):
            raise cut_short(self.wire.endpoint)
        return version, int(code), reason.strip()

    def _read_headers(self) -> Headers:
        lines: list[str] = []
        while line := self._read_line():
            if len(lines) == MOST_HEADERS:
                raise invalid(self.wire.endpoint, f"it has more than {MOST_HEADERS} headers")
            lines.append(line)
        # Skip lines that begin with a blank: they continue a header, and engines send none.
        parts = (line.partition(":") for line in lines if not line[0].isspace())
        return Headers((name.strip(), value.strip()) for name, colon, value in parts if colon)

    def _read_chunk_size(self) -> int:
        size = self._read_line().partition(";")[0].strip()
        if not size or not HEXADECIMAL.issuperset(size) or len(size) > LONGEST_NUMBER:
            raise cut_short(self.wire.endpoint)
        return int(size, 16)

    def _skip_trailer(self) -> None:
        for _ in range(MOST_HEADERS + 1):
            if self._file.readline(LONGEST_LINE + 1) in {b"\r\n", b"\n", b""}:
                return
        raise cut_short(self.wire.endpoint)


def is_chunked(endpoint: Endpoint, headers: Headers) -> bool:
    encoding = headers.get("Transfer-Encoding")
    if encoding.lower() not in {"", "identity", "chunked"}:
        raise invalid(endpoint, f"it has the transfer encoding {encoding[:40]!r}")
    return encoding.lower() == "chunked"


def body_length(endpoint: Endpoint, headers: Headers) -> int | None:
    """Return None if the answer goes on to the end of the connection (RFC 9112, 6.3)."""
    text = headers.get("Content-Length")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER):
        raise invalid(endpoint, f"it has the length {text[:40]!r}")
    return int(text)


def invalid(endpoint: Endpoint, what: str) -> EngineError:
    return not_docker(endpoint, f"its answer is not HTTP ({what})")


def not_http(endpoint: Endpoint, line: str) -> EngineError:
    # A TLS alert: content type 21, version 3.x (RFC 8446 5.1).
    if line.startswith("\x15\x03"):
        return wants_tls(endpoint)
    said = repr(line[:40])
    what = "an SSH server answers there" if line.startswith("SSH-") else f"its answer is not HTTP ({said})"
    return not_docker(endpoint, what)


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
