"""SFTP, version 3 (draft-ietf-secsh-filexfer-02), over a channel: requests are numbered and answered in any order.

paramiko's own client keeps a download in memory, and believes every length that the server states.
"""

from __future__ import annotations

import contextlib
import errno
import struct
import threading
from collections import deque
from dataclasses import dataclass
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
# The channel's window, in bytes, and how many requests may be unanswered.
WINDOW = 4 << 20
AHEAD = 64
# The largest SSH packet that we accept. OpenSSH fills packets if more than 32 KiB wait to be sent.
SSH_PACKET = 255 << 10
# The read and write size that every server accepts, in bytes. OpenSSH 8.5 and later announce more.
CHUNK = 1 << 15
LIMITS = b"limits@openssh.com"
POSIX_RENAME = b"posix-rename@openssh.com"
# OpenSSH's SFTP_MAX_MSG_LENGTH, in bytes; data has some fields before it. The handle's limit is the draft's.
LONGEST_PACKET = 1 << 18
LONGEST_DATA = LONGEST_PACKET - 1024
LONGEST_HANDLE = 256
# The most entries of a directory, and the most bytes of their names: a server may list entries endlessly.
MOST_NAMES = 1_000_000
MOST_NAME_BYTES = 64 << 20
# How late ^C is noticed, in seconds.
POLL = 0.1
HAS_SIZE, HAS_OWNER, HAS_MODE, HAS_TIMES, HAS_MORE = 1, 2, 4, 8, 0x80000000


class NotSFTP(Exception):
    """The server violates the SFTP protocol."""


class EndOfFile(OSError):
    """The server reports the end of a file or directory."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """A file's attributes, named as in os.stat_result; 0 for those that the server leaves out."""

    st_size: int = 0
    st_uid: int = 0
    st_gid: int = 0
    st_mode: int = 0
    st_atime: int = 0
    st_mtime: int = 0


class PacketReader:
    """Reads the fields of a packet in order. Raises NotSFTP if the packet is too short."""

    def __init__(self, data: bytes) -> None:
        self._left = memoryview(data)

    def byte(self) -> int:
        return self._cut(1)[0]

    def number(self) -> int:
        return int.from_bytes(self._cut(4))

    def long(self) -> int:
        return int.from_bytes(self._cut(8))

    def view(self) -> memoryview:
        """Read a string without copying it."""
        return self._cut(self.number())

    def text(self) -> bytes:
        return bytes(self.view())

    def attributes(self) -> Attributes:
        known = self.number()
        size = self.long() if known & HAS_SIZE else 0
        user, group = (self.number(), self.number()) if known & HAS_OWNER else (0, 0)
        mode = self.number() if known & HAS_MODE else 0
        read, written = (self.number(), self.number()) if known & HAS_TIMES else (0, 0)
        for _ in range(self.number() if known & HAS_MORE else 0):
            self.view(), self.view()
        return Attributes(size, user, group, mode, read, written)

    def __bool__(self) -> bool:
        return bool(self._left)

    def _cut(self, count: int) -> memoryview:
        if count > len(self._left):
            raise NotSFTP("a packet that ends in the middle")
        cut, self._left = self._left[:count], self._left[count:]
        return cut


class Inbox:
    """A channel's received data, in pieces as they came: paramiko's buffer copies each byte twice."""

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
        """Return one piece, however long it is; b"" after the last."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._pieces or self._closed, timeout):
                raise PipeTimeout
            piece = self._pieces.popleft() if self._pieces else b""
            self._size -= len(piece)
            return piece


class SFTPClient:
    """One conversation with a server, for one thread and one file at a time.

    `check` is called between messages: if it raises, the conversation can continue. Raises OSError if the server
    refuses a request, NotSFTP, and EOFError or paramiko's SSHException if the connection ends.
    """

    def __init__(self, channel: paramiko.Channel, check: Callable[[], None]) -> None:
        self._channel = channel
        self._check = check
        self._number = 0
        # The numbers of unanswered requests, abandoned ones too.
        self._awaited: set[int] = set()
        # The received part of the next packet, and its length, once known.
        self._received = b""
        self._length = 0
        self._unsent = memoryview(b"")
        # An Inbox has all methods that the channel uses.
        channel.in_buffer = Inbox()  # type: ignore[assignment]
        channel.in_stderr_buffer = Inbox()  # type: ignore[assignment]
        channel.invoke_subsystem("sftp")
        channel.settimeout(POLL)
        self.read_length, self.write_length = self._begin()

    def _begin(self) -> tuple[int, int]:
        """Agree on the version; return the server's read and write size."""
        # What is no SFTP server may have ended before it is sent anything: what it said tells why.
        with contextlib.suppress(EOFError):
            self._send(bytes([CMD_INIT]) + number(VERSION))
        kind, answer = self._packet()
        if kind != CMD_VERSION:
            raise NotSFTP(f"message {kind} as its first")
        answer.number()
        extensions = set()
        while answer:
            extensions.add(answer.text())
            answer.view()
        if LIMITS not in extensions:
            return CHUNK, CHUNK
        limits = self._want(CMD_EXTENDED_REPLY, CMD_EXTENDED, text(LIMITS))
        limits.long()
        read, write = limits.long(), limits.long()
        return min(read or CHUNK, LONGEST_DATA), min(write or CHUNK, LONGEST_DATA)

    def stat(self, path: bytes) -> Attributes:
        return self._want(CMD_ATTRS, CMD_STAT, text(path)).attributes()

    def realpath(self, path: bytes) -> bytes:
        answer = self._want(CMD_NAME, CMD_REALPATH, text(path))
        answer.number()
        return answer.text()

    def names(self, path: bytes) -> list[bytes]:
        """Return the names in a directory."""
        handle = self._handle(CMD_OPENDIR, text(path))
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
            while count := (answer := self._want(CMD_NAME, CMD_READDIR, text(handle))).number():
                for _ in range(count):
                    yield answer.text()
                    answer.view()  # the line that `ls -l` would have of it
                    answer.attributes()

    def open(self, path: bytes, flags: int = SFTP_FLAG_READ, mode: int | None = None) -> bytes:
        """Open a file and return its handle. A new file has its mode from the first byte on."""
        return self._handle(CMD_OPEN, text(path), number(flags), attributes(mode=mode))

    def close(self, handle: bytes) -> None:
        """Close a written file: the server may report only now that the data was not stored."""
        self._done(CMD_CLOSE, text(handle))

    def release(self, handle: bytes) -> None:
        """Close a file without waiting for the answer."""
        self.request(CMD_CLOSE, text(handle))

    def read(self, handle: bytes, size: int) -> Iterator[tuple[int, memoryview]]:
        """Yield the pieces of a file with their offsets, in the order of arrival.

        The file is read to its end. `size` is the expected size: many pieces up to it are requested at once, beyond it
        only one at a time, which finds the end.
        """
        asked: dict[int, tuple[int, int]] = {}
        place, ended = 0, False
        most = min(AHEAD, max(2, WINDOW // self.read_length))

        def ask(start: int, count: int) -> None:
            asked[self.request(CMD_READ, text(handle), struct.pack(">QI", start, count))] = (start, count)

        while True:
            while not ended and place <= size and len(asked) < most:
                count = min(size - place, self.read_length) or self.read_length
                ask(place, count)
                place += count
            if not asked:
                return
            answered, kind, answer = self.answer()
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
        self._done(CMD_MKDIR, text(path), attributes(mode=mode))

    def set_attributes(self, path: bytes, changed: bytes) -> None:
        """Set a file's attributes; `data` comes from the function `attributes`."""
        self._done(CMD_SETSTAT, text(path), changed)

    def replace(self, path: bytes, target: bytes) -> None:
        self._done(CMD_EXTENDED, text(POSIX_RENAME), text(path), text(target))

    def remove(self, path: bytes) -> None:
        self._done(CMD_REMOVE, text(path))

    def _handle(self, kind: int, *fields: bytes) -> bytes:
        handle = self._want(CMD_HANDLE, kind, *fields).text()
        if len(handle) > LONGEST_HANDLE:
            raise NotSFTP(f"a handle of {len(handle)} bytes")
        return handle

    def _done(self, kind: int, *fields: bytes) -> None:
        self._want(CMD_STATUS, kind, *fields)

    def _want(self, expected: int, kind: int, *fields: bytes) -> PacketReader:
        """Send a request and wait for its answer; answers to abandoned requests are skipped."""
        asked = self.request(kind, *fields)
        while True:
            answered, kind, answer = self.answer()
            if answered == asked:
                return expect(expected, kind, answer)

    def request(self, kind: int, *fields: bytes | memoryview) -> int:
        """Send a request; return its number."""
        self._number = (self._number + 1) & 0xFFFFFFFF
        self._awaited.add(self._number)
        self._send(bytes([kind]), number(self._number), *fields)
        return self._number

    def answer(self) -> tuple[int, int, PacketReader]:
        """Return the next answer: the request's number, the answer's kind, and its fields."""
        kind, answer = self._packet()
        answered = answer.number()
        if answered not in self._awaited:
            raise NotSFTP("an answer to no request")
        self._awaited.remove(answered)
        return answered, kind, answer

    def _send(self, *fields: bytes | memoryview) -> None:
        # First send the rest of a packet that an interruption cut.
        length = number(sum(map(len, fields)))
        self._unsent = memoryview(b"".join([self._unsent, length, *fields]))
        while self._unsent:
            self._check()
            try:
                sent = self._channel.send(bytes(self._unsent[:CHUNK]))
            except TimeoutError:  # there is no room for it yet
                continue
            except OSError as exc:
                raise EOFError from exc
            if not sent:
                raise EOFError
            self._unsent = self._unsent[sent:]

    def _packet(self) -> tuple[int, PacketReader]:
        if not self._length:
            length = int.from_bytes(self._take(4))
            if not 0 < length <= LONGEST_PACKET:
                raise NotSFTP(f"a packet of {length:,} bytes")
            self._length = length
        packet = PacketReader(self._take(self._length))
        self._length = 0
        return packet.byte(), packet

    def _take(self, count: int) -> bytes:
        """Receive this many bytes."""
        pieces, size = [self._received], len(self._received)
        try:
            while size < count:
                pieces.append(self._receive())
                size += len(pieces[-1])
        except BaseException:
            self._received = b"".join(pieces)
            raise
        last, over = pieces[-1], size - count
        pieces[-1], self._received = last[: len(last) - over], last[len(last) - over :]
        return b"".join(pieces)

    def _receive(self) -> bytes:
        while True:
            self._check()
            with contextlib.suppress(TimeoutError):
                if piece := self._channel.recv(WINDOW):
                    return piece
                raise EOFError


class Writing:
    """A file that is written to. Several writes are unanswered at a time."""

    def __init__(self, client: SFTPClient, handle: bytes) -> None:
        self._client = client
        self._handle = handle
        self._asked: set[int] = set()

    def write(self, place: int, data: bytes | memoryview) -> None:
        client = self._client
        for start in range(0, len(data), client.write_length):
            while len(self._asked) >= AHEAD:
                self._settle()
            piece = memoryview(data)[start : start + client.write_length]
            where = struct.pack(">Q", place + start)
            self._asked.add(client.request(CMD_WRITE, text(self._handle), where, number(len(piece)), piece))

    def finish(self) -> None:
        """Wait for all answers, and close the file."""
        while self._asked:
            self._settle()
        self._client.close(self._handle)

    def _settle(self) -> None:
        answered, kind, answer = self._client.answer()
        if answered in self._asked:
            self._asked.remove(answered)
            expect(CMD_STATUS, kind, answer)


def expect(expected: int, kind: int, answer: PacketReader) -> PacketReader:
    """Return the fields of an answer of the expected kind. Raises OSError for the server's error."""
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


def number(value: int) -> bytes:
    return value.to_bytes(4)


def text(value: bytes) -> bytes:
    return number(len(value)) + value


def attributes(
    *, mode: int | None = None, owner: tuple[int, int] | None = None, times: tuple[float, float] | None = None
) -> bytes:
    """Encode the given attributes. Times are unsigned 32-bit seconds."""
    known, sent = 0, b""
    if owner is not None:
        known, sent = known | HAS_OWNER, sent + struct.pack(">II", *owner)
    if mode is not None:
        known, sent = known | HAS_MODE, sent + number(mode)
    if times is not None:
        seconds = (min(max(int(time), 0), 0xFFFFFFFF) for time in times)
        known, sent = known | HAS_TIMES, sent + struct.pack(">II", *seconds)
    return number(known) + sent
