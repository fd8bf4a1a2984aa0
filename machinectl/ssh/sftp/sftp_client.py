"""A client of SFTP version 3 (draft-ietf-secsh-filexfer-02); requests are answered in any order.

paramiko's client keeps downloads in memory, and trusts the server's lengths.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import threading
from collections import deque
from typing import TYPE_CHECKING

from paramiko.buffered_pipe import PipeTimeout
from paramiko.sftp import (
    CMD_ATTRS,
    CMD_CLOSE,
    CMD_DATA,
    CMD_EXTENDED,
    CMD_EXTENDED_REPLY,
    CMD_HANDLE,
    CMD_INIT,
    CMD_MKDIR,
    CMD_NAME,
    CMD_OPEN,
    CMD_OPENDIR,
    CMD_READ,
    CMD_READDIR,
    CMD_REALPATH,
    CMD_REMOVE,
    CMD_SETSTAT,
    CMD_STAT,
    CMD_STATUS,
    CMD_VERSION,
    CMD_WRITE,
    SFTP_EOF,
    SFTP_FLAG_READ,
    SFTP_NO_SUCH_FILE,
    SFTP_OK,
    SFTP_PERMISSION_DENIED,
)

from machinectl.errors import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import paramiko

VERSION = 3
# The channel's window in bytes, and the most unanswered requests.
WINDOW = 4 << 20
AHEAD = 64
# The largest SSH packet to accept. OpenSSH fills packets if more than 32 KiB wait.
SSH_PACKET = 255 << 10
# The read and write size that every server accepts, in bytes. OpenSSH 8.5 and later announce more.
CHUNK = 1 << 15
LIMITS = b"limits@openssh.com"
POSIX_RENAME = b"posix-rename@openssh.com"
# OpenSSH's SFTP_MAX_MSG_LENGTH, in bytes, with room for fields before the data; the draft's limit for handles.
LONGEST_PACKET = 1 << 18
LONGEST_DATA = LONGEST_PACKET - 1024
LONGEST_HANDLE = 256
# Most names in a directory, and most bytes of them: a server may list names endlessly.
MOST_NAMES = 1_000_000
MOST_NAME_BYTES = 64 << 20
# How often to check for ^C, in seconds.
POLL = 0.1
# Flags of attributes.
HAS_SIZE, HAS_OWNER, HAS_MODE, HAS_TIMES, HAS_MORE = 1, 2, 4, 8, 0x80000000


class NotSFTP(Exception):
    """The server violates the SFTP protocol."""


class EndOfFile(OSError):
    """End of file or directory."""


class PacketReader:
    """Raises NotSFTP if the packet is too short."""

    def __init__(self, data: bytes) -> None:
        self._left = memoryview(data)

    def byte(self) -> int:
        return self._cut(1)[0]

    def number(self) -> int:
        return int.from_bytes(self._cut(4))

    def long(self) -> int:
        return int.from_bytes(self._cut(8))

    def view(self) -> memoryview:
        return self._cut(self.number())

    def text(self) -> bytes:
        return bytes(self.view())

    def attributes(self) -> os.stat_result:
        """Return 0 for what the server omits."""
        known = self.number()
        size = self.long() if known & HAS_SIZE else 0
        user, group = (self.number(), self.number()) if known & HAS_OWNER else (0, 0)
        mode = self.number() if known & HAS_MODE else 0
        read, written = (self.number(), self.number()) if known & HAS_TIMES else (0, 0)
        for _ in range(self.number() if known & HAS_MORE else 0):
            self.view(), self.view()
        return os.stat_result((mode, 0, 0, 0, user, group, size, read, written, 0))

    def __bool__(self) -> bool:
        return bool(self._left)

    def _cut(self, count: int) -> memoryview:
        if count > len(self._left):
            raise NotSFTP("a packet that ends in the middle")
        cut, self._left = self._left[:count], self._left[count:]
        return cut


def expect(expected: int, kind: int, answer: PacketReader) -> PacketReader:
    """Raises OSError for the server's error."""
    if kind == CMD_STATUS and (code := answer.number()) != SFTP_OK:
        said = one_line(answer.text().decode(errors="replace") if answer else "") or f"SFTP's error {code}"
        if code == SFTP_EOF:
            raise EndOfFile(said)
        if code == SFTP_NO_SUCH_FILE:
            raise FileNotFoundError(errno.ENOENT, said)
        if code == SFTP_PERMISSION_DENIED:
            raise PermissionError(errno.EACCES, said)
        raise OSError(said)
    if kind != expected:
        raise NotSFTP(f"message {kind} instead of {expected}")
    return answer


def encode_number(value: int) -> bytes:
    return value.to_bytes(4)


def encode_text(value: bytes) -> bytes:
    return encode_number(len(value)) + value


def encode_attributes(
    *, mode: int | None = None, owner: tuple[int, int] | None = None, times: tuple[float, float] | None = None
) -> bytes:
    """Times are unsigned 32-bit seconds."""
    known, sent = 0, b""
    if owner is not None:
        known, sent = known | HAS_OWNER, sent + struct.pack(">II", *owner)
    if mode is not None:
        known, sent = known | HAS_MODE, sent + encode_number(mode)
    if times is not None:
        seconds = (min(max(int(time), 0), 0xFFFFFFFF) for time in times)
        known, sent = known | HAS_TIMES, sent + struct.pack(">II", *seconds)
    return encode_number(known) + sent


class Inbox:
    """Keeps received pieces uncopied; paramiko's buffer copies twice."""

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._closed = False
        self._changed = threading.Condition()

    def feed(self, piece: bytes) -> None:
        with self._changed:
            self._size += len(piece)
            self._pieces.append(piece)
            self._changed.notify_all()

    def __len__(self) -> int:
        return self._size

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def read(self, _: int, timeout: float | None = None) -> bytes:
        """Return a piece of any length; b"" after the last."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._pieces or self._closed, timeout):
                raise PipeTimeout
            piece = self._pieces.popleft() if self._pieces else b""
            self._size -= len(piece)
            return piece


class SFTPConnection:
    """`check` runs between packets, and may raise without data loss."""

    def __init__(self, channel: paramiko.Channel, check: Callable[[], None]) -> None:
        self._channel = channel
        self._check = check
        self._number = 0
        # Numbers of unanswered requests, including abandoned ones.
        self._awaited: set[int] = set()
        # The received part of the next packet, and its length once known.
        self._received = b""
        self._length = 0
        self._unsent = memoryview(b"")
        # An Inbox has all methods that the channel uses.
        channel.in_buffer = Inbox()  # type: ignore[assignment]
        channel.in_stderr_buffer = Inbox()  # type: ignore[assignment]
        channel.invoke_subsystem("sftp")
        channel.settimeout(POLL)

    def ask(self, expected: int, kind: int, *fields: bytes) -> PacketReader:
        """Skip answers to abandoned requests."""
        asked = self.request(kind, *fields)
        while True:
            answered, kind, answer = self.answer()
            if answered == asked:
                return expect(expected, kind, answer)

    def request(self, kind: int, *fields: bytes | memoryview) -> int:
        self._number = (self._number + 1) & 0xFFFFFFFF
        self._awaited.add(self._number)
        self.send(bytes([kind]), encode_number(self._number), *fields)
        return self._number

    def answer(self) -> tuple[int, int, PacketReader]:
        """Return request number, kind and fields."""
        kind, answer = self.receive()
        answered = answer.number()
        if answered not in self._awaited:
            raise NotSFTP("an answer to no request")
        self._awaited.remove(answered)
        return answered, kind, answer

    def send(self, *fields: bytes | memoryview) -> None:
        """Finish an interrupted packet first."""
        length = encode_number(sum(map(len, fields)))
        self._unsent = memoryview(b"".join([self._unsent, length, *fields]))
        while self._unsent:
            self._check()
            try:
                sent = self._channel.send(bytes(self._unsent[:CHUNK]))
            except TimeoutError:  # no room yet
                continue
            except OSError as exc:
                raise EOFError from exc
            if not sent:
                raise EOFError
            self._unsent = self._unsent[sent:]

    def receive(self) -> tuple[int, PacketReader]:
        if not self._length:
            length = int.from_bytes(self._take(4))
            if not 0 < length <= LONGEST_PACKET:
                raise NotSFTP(f"a packet of {length:,} bytes")
            self._length = length
        packet = PacketReader(self._take(self._length))
        self._length = 0
        return packet.byte(), packet

    def _take(self, count: int) -> bytes:
        pieces, size = [self._received], len(self._received)
        try:
            while size < count:
                pieces.append(self._receive_piece())
                size += len(pieces[-1])
        except BaseException:
            self._received = b"".join(pieces)
            raise
        last, over = pieces[-1], size - count
        pieces[-1], self._received = last[: len(last) - over], last[len(last) - over :]
        return b"".join(pieces)

    def _receive_piece(self) -> bytes:
        while True:
            self._check()
            with contextlib.suppress(TimeoutError):
                if piece := self._channel.recv(WINDOW):
                    return piece
                raise EOFError


class SFTPClient:
    """For one thread and one file at a time.

    Raises OSError if the server refuses, NotSFTP, EOFError or SSHException (paramiko).
    """

    def __init__(self, channel: paramiko.Channel, check: Callable[[], None]) -> None:
        self.connection = SFTPConnection(channel, check)
        self.read_length, self.write_length = self._agree()

    def _agree(self) -> tuple[int, int]:
        """Return the server's read and write size."""
        # A program that is not an SFTP server may have ended already: its output says why.
        with contextlib.suppress(EOFError):
            self.connection.send(bytes([CMD_INIT]) + encode_number(VERSION))
        kind, answer = self.connection.receive()
        if kind != CMD_VERSION:
            raise NotSFTP(f"message {kind} as its first")
        answer.number()
        extensions = set()
        while answer:
            extensions.add(answer.text())
            answer.view()
        if LIMITS not in extensions:
            return CHUNK, CHUNK
        limits = self.connection.ask(CMD_EXTENDED_REPLY, CMD_EXTENDED, encode_text(LIMITS))
        limits.long()
        read, write = limits.long(), limits.long()
        return min(read or CHUNK, LONGEST_DATA), min(write or CHUNK, LONGEST_DATA)

    def stat(self, path: bytes) -> os.stat_result:
        return self.connection.ask(CMD_ATTRS, CMD_STAT, encode_text(path)).attributes()

    def realpath(self, path: bytes) -> bytes:
        answer = self.connection.ask(CMD_NAME, CMD_REALPATH, encode_text(path))
        answer.number()
        return answer.text()

    def names(self, path: bytes) -> list[bytes]:
        handle = self._handle(CMD_OPENDIR, encode_text(path))
        found: list[bytes] = []
        size = 0
        try:
            for name in self._listed(handle):
                found.append(name)
                size += len(name)
                if len(found) > MOST_NAMES or size > MOST_NAME_BYTES:
                    raise OSError(
                        errno.EFBIG, f"the server lists more than {len(found) - 1:,} names, perhaps endlessly"
                    )
        finally:
            self.release(handle)
        return found

    def _listed(self, handle: bytes) -> Iterator[bytes]:
        with contextlib.suppress(EndOfFile):
            while count := (answer := self.connection.ask(CMD_NAME, CMD_READDIR, encode_text(handle))).number():
                for _ in range(count):
                    yield answer.text()
                    answer.view()  # the line of `ls -l`
                    answer.attributes()

    def open(self, path: bytes, flags: int = SFTP_FLAG_READ, mode: int | None = None) -> bytes:
        """Return a handle. A new file has its mode from the start."""
        return self._handle(CMD_OPEN, encode_text(path), encode_number(flags), encode_attributes(mode=mode))

    def _handle(self, kind: int, *fields: bytes) -> bytes:
        handle = self.connection.ask(CMD_HANDLE, kind, *fields).text()
        if len(handle) > LONGEST_HANDLE:
            raise NotSFTP(f"a handle of {len(handle)} bytes")
        return handle

    def close(self, handle: bytes) -> None:
        """The server may report a failed write only now."""
        self.connection.ask(CMD_STATUS, CMD_CLOSE, encode_text(handle))

    def release(self, handle: bytes) -> None:
        """Do not wait for the answer."""
        self.connection.request(CMD_CLOSE, encode_text(handle))

    def read(self, handle: bytes, size: int) -> Iterator[tuple[int, memoryview]]:
        """Yield pieces with offsets, in order of arrival. Beyond the expected `size`, request one at a time."""
        asked: dict[int, tuple[int, int]] = {}
        place, ended = 0, False
        most = min(AHEAD, max(2, WINDOW // self.read_length))

        def ask(start: int, count: int) -> None:
            number = self.connection.request(CMD_READ, encode_text(handle), struct.pack(">QI", start, count))
            asked[number] = (start, count)

        while True:
            while not ended and place <= size and len(asked) < most:
                count = min(size - place, self.read_length) or self.read_length
                ask(place, count)
                place += count
            if not asked:
                return
            answered, kind, answer = self.connection.answer()
            if answered not in asked:
                continue
            start, count = asked.pop(answered)
            try:
                data = expect(CMD_DATA, kind, answer).view()
            except EndOfFile:
                ended = True
                continue
            if not 0 < len(data) <= count:
                raise NotSFTP(f"{len(data)} bytes of a file instead of {count}")
            yield start, data
            size = max(size, start + len(data))
            if len(data) < count:
                ask(start + len(data), count - len(data))

    def make_directory(self, path: bytes, mode: int) -> None:
        self.connection.ask(CMD_STATUS, CMD_MKDIR, encode_text(path), encode_attributes(mode=mode))

    def set_attributes(self, path: bytes, changed: bytes) -> None:
        self.connection.ask(CMD_STATUS, CMD_SETSTAT, encode_text(path), changed)

    def replace(self, path: bytes, target: bytes) -> None:
        fields = map(encode_text, (POSIX_RENAME, path, target))
        self.connection.ask(CMD_STATUS, CMD_EXTENDED, *fields)

    def remove(self, path: bytes) -> None:
        self.connection.ask(CMD_STATUS, CMD_REMOVE, encode_text(path))


class RemoteWriter:
    """Several writes may be unanswered."""

    def __init__(self, client: SFTPClient, handle: bytes) -> None:
        self._client = client
        self._handle = handle
        self._asked: set[int] = set()

    def write(self, place: int, data: bytes | memoryview) -> None:
        length = self._client.write_length
        for start in range(0, len(data), length):
            while len(self._asked) >= AHEAD:
                self._take_answer()
            piece = memoryview(data)[start : start + length]
            fields = (encode_text(self._handle), struct.pack(">Q", place + start), encode_number(len(piece)), piece)
            self._asked.add(self._client.connection.request(CMD_WRITE, *fields))

    def finish(self) -> None:
        while self._asked:
            self._take_answer()
        self._client.close(self._handle)

    def _take_answer(self) -> None:
        answered, kind, answer = self._client.connection.answer()
        if answered in self._asked:
            self._asked.remove(answered)
            expect(CMD_STATUS, kind, answer)
