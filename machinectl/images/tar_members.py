"""Read tar archives of strangers in bounded memory: POSIX's ustar and pax, and GNU's long names.

tarfile keeps every member, and reads headers as long as they say.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, NamedTuple

from machinectl.errors import Hint, MachineError
from machinectl.images.image import SAVE, ArchiveError

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 512
PIECE = 1 << 20
# Bytes of a header that describes the next member. An archive of 500 images has some 50,000 members.
LONGEST_HEADER, MOST_MEMBERS = 1 << 20, 100_000
FILES, HARD_LINK, SYMLINK = (b"0", b"\0", b"7"), b"1", b"2"
# Members that give the next one its name or its link's target; pax has both, and its size.
LONG_NAME, LONG_LINK, PAX, PAX_OF_ALL = b"L", b"K", b"x", b"g"
# How compressed streams begin, by the module that reads them. Python before 3.14 cannot read zstd.
COMPRESSIONS = {b"\x1f\x8b\x08": "gzip", b"BZh": "bz2", b"\xfd7zXZ\0": "lzma"}


class TarMember(NamedTuple):
    """`offset` is where its content begins, in bytes; `link` is the target of a link."""

    name: str
    link: str
    is_file: bool
    is_symlink: bool
    size: int
    offset: int


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

    def members(self) -> Iterator[TarMember]:
        """Yield each member, whose content is read, if at all, before the next one."""
        described: dict[str, str] = {}
        for _ in range(MOST_MEMBERS):
            self._skip()
            header = self._block()
            if not any(header):
                return
            kind, size = header[156:157], number(header[124:136])
            if "size" in described:
                size = number(described["size"].encode(errors="surrogateescape"), base=10)
            self._left, self._padding = size, -size % BLOCK
            if kind in {LONG_NAME, LONG_LINK, PAX, PAX_OF_ALL}:
                if size > LONGEST_HEADER:
                    raise ArchiveError("The archive has headers that are too long")
                described |= self._description(kind)
                continue
            directory = text(header[345:500]) if header[257:263] == b"ustar\0" else ""
            name = described.get("path") or "/".join(filter(None, (directory, text(header[:100]))))
            link = (described.get("linkpath") or text(header[157:257])) if kind in {HARD_LINK, SYMLINK} else ""
            yield TarMember(name, link, kind in FILES, kind == SYMLINK, size, self._offset)
            described = {}
        raise ArchiveError(f"The archive has more than {MOST_MEMBERS:,} files")

    def _description(self, kind: bytes) -> dict[str, str]:
        """Return what a header says of the next member; nothing is known that describes all."""
        data = b"".join(iter(lambda: self.read(PIECE), b""))
        if kind in {LONG_NAME, LONG_LINK}:
            return {"path" if kind == LONG_NAME else "linkpath": text(data)}
        described = {}
        while data and kind == PAX:
            length = number(data.partition(b" ")[0], base=10)
            key, equals, value = data[:length].partition(b" ")[2].partition(b"=")
            if not (equals and value.endswith(b"\n")):
                raise damaged()
            described[text(key)] = text(value[:-1])
            data = data[length:]
        return described

    def _block(self) -> bytes:
        """Return a header, or an empty block, with which an archive ends."""
        block = self._read(BLOCK)
        total = sum(block[:148]) + sum(block[156:]) + 8 * ord(" ")
        if len(block) < BLOCK or (any(block) and number(block[148:156]) != total):
            raise damaged()
        return block

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


def number(field: bytes, base: int = 8) -> int:
    """Return a header's number; a first bit means that it is binary, for more than 8 GB."""
    try:
        value = int.from_bytes(field[1:], "big") if field[:1] == b"\x80" else int(field.strip(b" \0") or b"0", base)
    except ValueError as exc:
        raise damaged() from exc
    if not 0 <= value < 1 << 62:
        raise damaged()
    return value


def text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode(errors="surrogateescape")


def damaged() -> ArchiveError:
    return ArchiveError("not an image archive (tar, gzip, bzip2 or xz), or cut short", Hint("Make one", SAVE))
