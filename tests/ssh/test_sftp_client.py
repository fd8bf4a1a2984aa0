"""SFTP with slow, broken and malicious servers: no real one can be made to behave so."""

from __future__ import annotations

import itertools
import struct
from typing import TYPE_CHECKING, cast

import pytest
from paramiko.buffered_pipe import PipeTimeout

from machinectl.ssh.sftp import sftp_client
from machinectl.ssh.sftp.sftp_client import Inbox, NotSFTP, RemoteWriter, SFTPClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import paramiko

    # The number of a request, and its other fields; what is sent back.
    Answering = Callable[[bytes, bytes], Iterable[bytes]]

INIT, OPEN, CLOSE, READ, WRITE, OPENDIR, READDIR, STAT = 1, 3, 4, 5, 6, 11, 12, 17
STATUS, HANDLE, DATA, NAME, ATTRS = 101, 102, 103, 104, 105
OK, EOF, FAILURE = 0, 1, 4
LENGTH = 300_000


def packet(kind: int, *fields: bytes) -> bytes:
    body = bytes([kind]) + b"".join(fields)
    return struct.pack(">I", len(body)) + body


def text(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


def status(number: bytes, code: int) -> bytes:
    return packet(STATUS, number, struct.pack(">I", code), text(b"said"), text(b""))


class Server:
    """A channel to a scripted server, which answers at once or when its answer is awaited."""

    in_buffer: Inbox

    def __init__(self, *limits: int, **answers: Answering) -> None:
        self.answers = {globals()[kind.upper()]: answer for kind, answer in answers.items()}
        self.limits = limits
        # Sent when nothing else was.
        self.later: list[bytes] = []
        self.asked: list[int] = []
        self._sent = b""

    def invoke_subsystem(self, _name: str) -> None: ...

    def settimeout(self, _seconds: float) -> None: ...

    def send(self, data: bytes) -> int:
        self._sent += data
        while len(self._sent) >= 4 and len(self._sent) >= 4 + int.from_bytes(self._sent[:4]):
            end = 4 + int.from_bytes(self._sent[:4])
            request, self._sent = self._sent[4:end], self._sent[end:]
            self.asked.append(request[0])
            for answer in self.answer(request[0], request[1:5], request[5:]):
                self.in_buffer.feed(answer)
        return len(data)

    def recv(self, count: int) -> bytes:
        try:
            return self.in_buffer.read(count, 0)
        except PipeTimeout:
            if not self.later:
                raise TimeoutError from None
            return self.later.pop()

    def answer(self, kind: int, number: bytes, fields: bytes) -> Iterable[bytes]:
        if kind == INIT:
            return [packet(2, struct.pack(">I", 3), *([text(sftp_client.LIMITS), text(b"1")] if self.limits else []))]
        if kind in self.answers:
            return self.answers[kind](number, fields)
        if kind in {OPEN, OPENDIR}:
            return [packet(HANDLE, number, text(b"h"))]
        if kind == 200:  # limits
            return [packet(201, number, struct.pack(">4Q", *self.limits))]
        return [status(number, OK)]


def client(server: Server, check: Callable[[], None] = lambda: None) -> SFTPClient:
    return SFTPClient(cast("paramiko.Channel", server), check)


@pytest.mark.parametrize("size", [0, LENGTH // 2, LENGTH, LENGTH * 2])
def test_short_pieces_out_of_order_and_a_wrong_size_make_a_whole_file(
    size: int,
) -> None:
    content = bytes(range(256)) * (LENGTH // 256) + b"end"

    def read(number: bytes, fields: bytes) -> Iterable[bytes]:
        start, count = struct.unpack(">QI", fields[-12:])
        piece = content[start : start + min(count, 20_000)]
        # The last request is answered first.
        server.later.append(packet(DATA, number, text(piece)) if piece else status(number, EOF))
        return []

    server = Server(read=read)
    found = bytearray(len(content))
    total = 0
    own = client(server)
    for place, piece in own.read(own.open(b"x"), size):
        found[place : place + len(piece)] = piece
        total += len(piece)
    assert (bytes(found), total) == (content, len(content))


def test_writes_have_the_servers_size_and_few_are_unanswered() -> None:
    written: list[tuple[int, int]] = []

    def write(number: bytes, fields: bytes) -> Iterable[bytes]:
        place, length = struct.unpack(">QI", fields[5:17])
        written.append((place, length))
        server.later.insert(0, status(number, OK))
        assert len(server.later) <= sftp_client.AHEAD
        return []

    server = Server(0, 0, 1000, 0, write=write)
    own = client(server)
    writing = RemoteWriter(own, own.open(b"x"))
    writing.write(5, bytes(200_500))
    writing.finish()
    assert written == [(5 + 1000 * number, 1000) for number in range(200)] + [(200_005, 500)]
    assert (server.later, server.asked[-1]) == ([], CLOSE)


@pytest.mark.parametrize("kind", ["write", "close"])
def test_a_failed_write_ends_the_copy_early(kind: str) -> None:
    own = client(Server(**{kind: lambda number, _: [status(number, FAILURE)]}))
    writing = RemoteWriter(own, own.open(b"x"))
    writing.write(0, b"a text")
    with pytest.raises(OSError, match="said"):
        writing.finish()


ENTRY = text(b"name") + text(b"-rw-r--r-- name") + struct.pack(">I", 0)


def test_an_endless_directory_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sftp_client, "MOST_NAMES", 1000)
    server = Server(readdir=lambda number, _: [packet(NAME, number, struct.pack(">I", 100), ENTRY * 100)])
    own = client(server)
    with pytest.raises(OSError, match="more than 1,000 names"):
        own.names(b".")
    assert (server.asked.count(READDIR), server.asked[-1]) == (11, CLOSE)
    # A name may be as long as a packet.
    monkeypatch.setattr(sftp_client, "MOST_NAME_BYTES", 300)
    with pytest.raises(OSError, match="endlessly"):
        own.names(b".")


def test_a_directory_ends_with_an_empty_list_too() -> None:
    answers = itertools.chain([struct.pack(">I", 2) + ENTRY * 2], itertools.repeat(struct.pack(">I", 0)))
    assert client(Server(readdir=lambda number, _: [packet(NAME, number, next(answers))])).names(b".") == [b"name"] * 2


def test_an_unexpected_end_of_file_is_an_error_of_that_file() -> None:
    with pytest.raises(OSError, match="said"):
        client(Server(stat=lambda number, _: [status(number, EOF)])).stat(b"x")


BROKEN: dict[str, Answering] = {
    "a packet of 1": lambda _n, _f: [b"Welcome to this host\n"],
    "a packet of 0 bytes": lambda _n, _f: [bytes(4)],
    "a packet of 262,145 bytes": lambda _n, _f: [struct.pack(">I", (1 << 18) + 1)],
    "ends in the middle": lambda number, _: [packet(ATTRS, number, b"\0\0\0\5")],
    "an answer to no request": lambda _n, _f: [packet(ATTRS, b"\0\0\0\7", bytes(4))],
    "message 104 instead of 105": lambda number, _: [packet(NAME, number, bytes(4))],
    "message 101 instead of 105": lambda number, _: [status(number, OK)],
}


@pytest.mark.parametrize("words", BROKEN)
def test_a_protocol_violation_is_an_error(words: str) -> None:
    with pytest.raises(NotSFTP, match=words):
        client(Server(stat=BROKEN[words])).stat(b"x")


@pytest.mark.parametrize("length", [0, 200_000])
def test_a_piece_of_another_length_than_was_asked_for_is_not_sftp(length: int) -> None:
    own = client(Server(read=lambda number, _: [packet(DATA, number, text(bytes(length)))]))
    with pytest.raises(NotSFTP, match=f"{length} bytes of a file"):
        list(own.read(own.open(b"x"), 100_000))


def test_a_list_that_is_only_said_to_be_long_and_a_huge_handle_are_not_sftp() -> None:
    with pytest.raises(NotSFTP, match="ends in the middle"):
        client(Server(readdir=lambda number, _: [packet(NAME, number, b"\xff" * 4, ENTRY)])).names(b".")
    with pytest.raises(NotSFTP, match="a handle of 300 bytes"):
        client(Server(open=lambda number, _: [packet(HANDLE, number, text(bytes(300)))])).open(b"x")


def test_an_interruption_cuts_no_message() -> None:
    def byte_by_byte(number: bytes, _: bytes) -> Iterable[bytes]:
        answer = packet(ATTRS, number, struct.pack(">IQ", 1, 77))
        server.later[:0] = [answer[place : place + 1] for place in reversed(range(len(answer)))]
        return []

    calls = itertools.count()

    def interrupt() -> None:
        # More than a request and its answer have such places, so each is hit in turn.
        if next(calls) % 17 == 16:
            raise KeyboardInterrupt

    server = Server(stat=byte_by_byte)
    own = client(server)
    own.connection._check = interrupt
    interruptions = 0
    while interruptions < 30:
        try:
            assert own.stat(b"x" * 100_000).st_size == 77
        except KeyboardInterrupt:
            interruptions += 1
    own.connection._check = lambda: None
    assert own.stat(b"x").st_size == 77


def test_what_has_ended_before_it_is_asked_is_known_by_what_it_said() -> None:
    class Greeter(Server):
        def send(self, _data: bytes) -> int:
            raise OSError("Socket is closed")

    server = Greeter()
    server.later = [b"Welcome to this host\n"]
    with pytest.raises(NotSFTP, match=r"a packet of 1,466,264,675 bytes"):
        client(server)
