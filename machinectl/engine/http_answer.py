"""Read an HTTP/1.1 answer (RFC 9112).

http.client would load the modules for mail, which take longer than the answer.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import io
    from collections.abc import Iterator, KeysView

# The limits of http.client: bytes of a line, and header lines.
LONGEST_LINE, MOST_HEADERS = 65536, 100
# Digits.
LONGEST_NUMBER = 16
# LastAnswer before the final one.
MOST_INTERIM = 100
INTERIM = range(100, 200)
SWITCHING_PROTOCOLS, NO_CONTENT, NOT_MODIFIED = 101, 204, 304
HEXADECIMAL = frozenset("0123456789abcdefABCDEF")


class InvalidAnswerError(Exception):
    """An answer that is not HTTP. `line` is the first one, if that is why."""

    def __init__(self, what: str, line: str = "") -> None:
        super().__init__(what)
        self.line = line


class NoAnswerError(Exception):
    """The connection ended before an answer."""


class CutShortError(Exception):
    """The connection ended before the answer did."""


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


class Answer:
    """The head of an answer, and its body in pieces. Raises InvalidAnswerError or CutShortError."""

    def __init__(self, file: io.BufferedReader, method: str) -> None:
        self._file = file
        self.version, self.status, self.reason = read_final_status(file)
        self.headers = read_headers(file)
        self._is_chunked = is_chunked(self.headers)
        # Bytes left of the body, or of its chunk; None: until the connection ends.
        self._left = 0 if self._is_chunked else body_length(self.headers)
        has_no_body = self.status in {SWITCHING_PROTOCOLS, NO_CONTENT, NOT_MODIFIED}
        self._is_over = method == "HEAD" or has_no_body
        connection = self.headers.get("Connection").lower()
        keeps = "close" not in connection and (self.version != "HTTP/1.0" or "keep-alive" in connection)
        self.will_close = not keeps or (self._left is None and not self._is_over)

    def read_piece(self, limit: int) -> bytes:
        """Return at least one byte of the body, or b"" at its end."""
        if self._is_over:
            return b""
        if self._is_chunked and not self._left:
            self._left = read_chunk_size(self._file)
            if not self._left:
                skip_trailer(self._file)
        if self._left == 0:
            self._is_over = True
            return b""
        piece = self._file.read1(limit if self._left is None else min(limit, self._left))
        if self._left is None:
            self._is_over = not piece
            return piece
        if not piece:
            raise CutShortError
        self._left -= len(piece)
        if self._is_chunked and not self._left and read_line(self._file):
            raise InvalidAnswerError("a chunk is longer than its size")
        return piece

    def close(self) -> None:
        self._is_over = True
        self._file.close()


def read_line(file: io.BufferedReader) -> str:
    line = file.readline(LONGEST_LINE + 1)
    if len(line) > LONGEST_LINE:
        raise InvalidAnswerError(f"a line has more than {LONGEST_LINE} bytes")
    if not line.endswith(b"\n"):
        raise CutShortError
    return line.rstrip(b"\r\n").decode("iso-8859-1")


def skip_trailer(file: io.BufferedReader) -> None:
    for _ in range(MOST_HEADERS + 1):
        if file.readline(LONGEST_LINE + 1) in {b"\r\n", b"\n", b""}:
            return
    raise InvalidAnswerError(f"its trailer has more than {MOST_HEADERS} lines")


def read_final_status(file: io.BufferedReader) -> tuple[str, int, str]:
    """Skip interim answers (RFC 9110, 15.2). After 101, the other protocol follows."""
    for _ in range(MOST_INTERIM + 1):
        version, status, reason = read_status(file)
        if status not in INTERIM or status == SWITCHING_PROTOCOLS:
            return version, status, reason
        read_headers(file)
    raise InvalidAnswerError(f"it has more than {MOST_INTERIM} interim answers")


def read_status(file: io.BufferedReader) -> tuple[str, int, str]:
    """Return version, status and reason. Raises NoAnswerError at the end of the connection."""
    raw = file.readline(LONGEST_LINE + 1)
    if not raw:
        raise NoAnswerError
    line = raw[:LONGEST_LINE].rstrip(b"\r\n").decode("iso-8859-1")
    version, _, rest = line.partition(" ")
    code, _, reason = rest.strip().partition(" ")
    if not version.startswith("HTTP/1.") or not (len(code) == len("200") and code.isascii() and code.isdigit()):
        raise InvalidAnswerError(repr(line[:40]), line)
    if not raw.endswith(b"\n"):
        raise CutShortError
    return version, int(code), reason.strip()


def read_headers(file: io.BufferedReader) -> Headers:
    lines: list[str] = []
    while line := read_line(file):
        if len(lines) == MOST_HEADERS:
            raise InvalidAnswerError(f"it has more than {MOST_HEADERS} headers")
        lines.append(line)
    # Skip lines that begin with a blank: they continue a header, and engines send none.
    parts = (line.partition(":") for line in lines if not line[0].isspace())
    return Headers((name.strip(), value.strip()) for name, colon, value in parts if colon)


def is_chunked(headers: Headers) -> bool:
    """Raises InvalidAnswerError for another encoding, which was not asked for."""
    encoding = headers.get("Transfer-Encoding")
    if encoding.lower() not in {"", "identity", "chunked"}:
        raise InvalidAnswerError(f"it has the transfer encoding {encoding[:40]!r}")
    return encoding.lower() == "chunked"


def body_length(headers: Headers) -> int | None:
    """Return None if the answer goes on to the end of the connection. Raises InvalidAnswerError (RFC 9112, 6.3)."""
    text = headers.get("Content-Length")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER):
        raise InvalidAnswerError(f"it has the length {text[:40]!r}")
    return int(text)


def read_chunk_size(file: io.BufferedReader) -> int:
    size = read_line(file).partition(";")[0].strip()
    if not size or not HEXADECIMAL.issuperset(size) or len(size) > LONGEST_NUMBER:
        raise InvalidAnswerError(f"its chunk has the size {size[:40]!r}")
    return int(size, 16)
