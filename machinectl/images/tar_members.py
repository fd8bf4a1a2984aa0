"""Read tar archives of strangers in bounded memory: POSIX's ustar and pax, and GNU's long names.

tarfile reads one header; its archives keep every member, and read headers as long as they say.
"""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING, Any

from machinectl.errors import Hint, MachineError
from machinectl.images.image import SAVE, ArchiveError

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = tarfile.BLOCKSIZE
PIECE = 1 << 20
# Bytes of a header that describes the next member. An archive of 500 images has some 50,000 members.
LONGEST_HEADER, MOST_MEMBERS = 1 << 20, 100_000
# Bytes of a member, and digits of the length of a line in such a header.
LARGEST, MOST_DIGITS = 1 << 62, 10
# Members that give the next one its name or its link's target; pax has both, and its size.
DESCRIPTIONS = {
    tarfile.GNUTYPE_LONGNAME: "path",
    tarfile.GNUTYPE_LONGLINK: "linkpath",
    tarfile.XHDTYPE: "",
    tarfile.XGLTYPE: "",
}
# How compressed streams begin, by the module that reads them. Python before 3.14 cannot read zstd.
COMPRESSIONS = {b"\x1f\x8b\x08": "gzip", b"BZh": "bz2", b"\xfd7zXZ\0": "lzma"}


class TarStream:
    """A tar archive that is read once, decompressed if gzip, bzip2 or xz has compressed it.

    Raises ArchiveError for damage, and errors of the file.
    """

    def __init__(self, file: Any, *, compressed: bool = True) -> None:
        self._file = file
        self.is_compressed = False
        if compressed:
            from importlib import import_module

            self._file = file if hasattr(file, "peek") else io.BufferedReader(file)
            start = self._file.peek(len(max(COMPRESSIONS)))
            module = next((module for magic, module in COMPRESSIONS.items() if start.startswith(magic)), "")
            self.is_compressed = bool(module)
            if module:
                self._file = import_module(module).open(self._file)
        # Bytes read; and what is left of the member's content, and of its padding.
        self._offset = self._left = self._padding = 0

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes of the present member's content."""
        data = self._read(min(size, self._left))
        self._left -= len(data)
        if not data and size and self._left:
            raise damaged()
        return data

    def members(self) -> Iterator[tarfile.TarInfo]:
        """Yield each member, whose content is read, if at all, before the next one."""
        described: dict[str, str] = {}
        for _ in range(MOST_MEMBERS):
            self._skip()
            block = self._read(BLOCK)
            if block == bytes(BLOCK):
                return
            try:
                member = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
                member.size = int(described.get("size", member.size))
            except (tarfile.HeaderError, ValueError) as exc:
                raise damaged() from exc
            if not 0 <= member.size < LARGEST:
                raise damaged()
            self._left, self._padding = member.size, -member.size % BLOCK
            if member.type in DESCRIPTIONS:
                if member.size > LONGEST_HEADER:
                    raise ArchiveError("The archive has headers that are too long")
                described |= self._description(member.type)
                continue
            member.name = described.get("path") or member.name
            member.linkname = described.get("linkpath") or member.linkname
            member.offset_data = self._offset
            yield member
            described = {}
        raise ArchiveError(f"The archive has more than {MOST_MEMBERS:,} files")

    def _description(self, kind: bytes) -> dict[str, str]:
        """Return what a header says of the next member; nothing is known that describes all."""
        data = b"".join(iter(lambda: self.read(PIECE), b""))
        if key := DESCRIPTIONS[kind]:
            return {key: text(data)}
        described = {}
        while data and kind == tarfile.XHDTYPE:
            digits, _, rest = data.partition(b" ")
            length = int(digits) if digits.isdigit() and len(digits) < MOST_DIGITS else 0
            name, equals, value = rest[: length - len(digits) - 1].partition(b"=")
            if not (equals and value.endswith(b"\n") and length):
                raise damaged()
            described[text(name)] = text(value[:-1])
            data = data[length:]
        return described

    def _skip(self) -> None:
        """Go to the end of the member."""
        left, self._left, self._padding = self._left + self._padding, 0, 0
        if not self.is_compressed and isinstance(self._file, io.BufferedReader) and self._file.seekable():
            self._file.seek(left, io.SEEK_CUR)
            self._offset += left
            return
        while left:
            data = self._read(min(left, PIECE))
            if not data:
                raise damaged()
            left -= len(data)

    def _read(self, size: int) -> bytes:
        try:
            data: bytes = self._file.read(size)
        except (MachineError, MemoryError):
            raise
        except Exception as exc:
            if isinstance(exc, OSError) and exc.errno:
                raise
            # EOFError, zlib.error, lzma.LZMAError, and OSError without a number of gzip and bz2.
            raise damaged() from exc
        self._offset += len(data)
        return data


def text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode(errors="surrogateescape")


def damaged() -> ArchiveError:
    return ArchiveError("not an image archive (tar, gzip, bzip2 or xz), or cut short", Hint("Make one", SAVE))
