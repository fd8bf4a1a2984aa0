"""Packets of SFTP version 3 (draft-ietf-secsh-filexfer-02)."""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass

from paramiko.sftp import CMD_STATUS, SFTP_EOF, SFTP_NO_SUCH_FILE, SFTP_OK, SFTP_PERMISSION_DENIED

from machinectl.errors import one_line

HAS_SIZE, HAS_OWNER, HAS_MODE, HAS_TIMES, HAS_MORE = 1, 2, 4, 8, 0x80000000


class NotSFTP(Exception):
    """The server violates the SFTP protocol."""


class EndOfFile(OSError):
    """End of file or directory."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """As in os.stat_result; 0 if omitted."""

    st_size: int = 0
    st_uid: int = 0
    st_gid: int = 0
    st_mode: int = 0
    st_atime: int = 0
    st_mtime: int = 0


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
