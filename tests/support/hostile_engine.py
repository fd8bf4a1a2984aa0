"""Servers in an engine's place that are broken or mean harm.

`ENDING` are those that are found out at once, or say strange things; `ENDLESS` go on for as long as they are listened
to.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.support.hostile_ssh import ESCAPES, holding, repeating
from tests.support.hostile_ssh import saying as saying_first
from tests.support.servers import answer, closing, dripping, endless_body, endless_head, saying, silent, stalling_body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.servers import Behaviour, Connection

HEAD = b"HTTP/1.1 200 OK\r\nApi-Version: 1.99\r\n"
# What may stand in a header: HTTP's parser takes CR and LF for its end.
IN_LINE = ESCAPES.replace(b"\r", b"")
NOTHING = b"Content-Length: 0\r\n\r\n"
IMAGE_ID = "sha256:" + "0" * 64
IN_JSON = rb"\u001b]0;owned\u0007\u001b[31m\r\n\u009b31mX\u202e"


def engine_saying(version: bytes, ping: bytes = answer(b"OK")) -> Behaviour:
    """An engine that answers a ping, and says something of its own when it is asked for its version."""

    def behaviour(connection: Connection) -> None:
        while request := connection.request():
            connection.send(ping if b" /_ping " in request else answer(version))

    return behaviour


def target_engine(answers: Mapping[str, bytes]) -> Behaviour:
    """An engine for `push` that says something of its own at some paths. It loads each archive."""
    told = {
        "/_ping": b"OK",
        "/info": b'{"OSType": "linux", "Architecture": "x86_64"}',
        "/images/json": json.dumps([{"Id": IMAGE_ID, "RepoTags": ["app:0"]}]).encode(),
        **answers,
    }

    def behaviour(connection: Connection) -> None:
        while request := connection.request():
            if b"\r\nTransfer-Encoding: chunked" in request:
                body = b""
                while not body.endswith(b"\r\n0\r\n\r\n"):
                    body += connection.sock.recv(1 << 16)
            path = request.split()[1].decode().partition("?")[0]
            connection.send(answer(told.get(path, b"{}")))

    return behaviour


def asked(piece: bytes, *, pause: float = 0) -> Behaviour:
    """Begin to answer, and never end."""

    def behaviour(connection: Connection) -> None:
        connection.request()
        repeating(piece, b"HTTP/1.1 200 OK\r\n", pause=pause)(connection)

    return behaviour


def field(name: bytes) -> Behaviour:
    return saying(
        b"HTTP/1.1 200 OK\r\nApi-Version: 1.99\r\n" + name + b": " + IN_LINE + b"\r\nContent-Length: 2\r\n\r\nOK"
    )


ENDING: dict[str, Behaviour] = {
    "closes": closing,
    "an SSH server": saying_first(b"SSH-2.0-OpenSSH_9.9\r\n"),
    "a mail server of escapes": saying_first(b"220 " + ESCAPES + b"\r\n"),
    "a status of escapes": saying(b"HTTP/1.1 500 " + IN_LINE + b"\r\nApi-Version: 1\r\n" + NOTHING),
    "a huge header": saying(HEAD + b"X: " + b"A" * 5_000_000 + b"\r\n\r\n"),
    "headers that are none": saying(b"HTTP/1.1 200 OK\r\n" + ESCAPES * 10 + b"\r\n\r\n"),
    "an API version of escapes": saying(
        b"HTTP/1.1 200 OK\r\nApi-Version: " + IN_LINE + b"\r\nContent-Length: 0\r\n\r\n"
    ),
    "a place of escapes": saying(
        b"HTTP/1.1 301 " + IN_LINE + b"\r\nLocation: " + IN_LINE + b"\r\nApi-Version: 1\r\n" + NOTHING
    ),
    "a failure of escapes": saying(answer(b'{"message": "' + IN_JSON + b'"}', status="500 No")),
    "a length of 5000 digits": saying(HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nOK"),
    "a length that is not kept": saying(HEAD + b"Content-Length: 1000000\r\n\r\nOK"),
    "chunks that are none": saying(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + ESCAPES + b"\r\n"),
    "a chunk of 60,000 digits": saying(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 60_000 + b"\r\nOK"),
    "an answer of 5 MB": saying(answer(b"A" * 5_000_000)),
    "a version of escapes": engine_saying(b'{"Version": "' + IN_JSON + b'", "ApiVersion": "' + IN_JSON + b'"}'),
    "a version of 500 KB": engine_saying(b'{"Version": "' + b"A" * 500_000 + b'"}'),
    "a deep version": engine_saying(b'{"Version": ' + b"[" * 500_000),
    "a version that is no JSON": engine_saying(ESCAPES * 1000),
}

ENDLESS: dict[str, Behaviour] = {
    "says nothing": silent,
    "byte by byte": dripping,
    "headers": endless_head,
    "headers now and then": asked(b"X-More: more\r\n", pause=0.02),
    "half a head": holding(b"HTTP/1.1 200 OK\r\nApi-Ver"),
    "a body": endless_body,
    "half a body": stalling_body,
    "chunks now and then": asked(b"Api-Version: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nA\r\n", pause=0.02),
}
