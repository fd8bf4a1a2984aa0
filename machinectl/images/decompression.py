"""Decompress streams of strangers in bounded memory. tarfile decompresses whole pieces, which may be gigabytes then."""

from __future__ import annotations

from tarfile import ReadError
from typing import TYPE_CHECKING, NamedTuple, Protocol

from machinectl.images.image import ArchiveError

if TYPE_CHECKING:
    from collections.abc import Callable

# Bytes to read of the compressed stream at once.
INPUT = 1 << 14
# Bytes of memory for lzma: a file can demand gigabytes. `xz -9` needs 65 MB.
MOST_MEMORY = 128 << 20
# The longest start of a format.
LONGEST_START = 10


class ReadableFile(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Decompressor(Protocol):
    """Of one compressed stream, with the members of those in bz2 and lzma."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class GzipDecompressor:
    def __init__(self) -> None:
        import zlib

        # With gzip's header and checksum.
        self._inflate = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._inflate.eof

    @property
    def needs_input(self) -> bool:
        return not self._inflate.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inflate.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inflate.decompress(self._inflate.unconsumed_tail + data, max_length)


def bz2_decompressor() -> Decompressor:
    import bz2

    return bz2.BZ2Decompressor()


def lzma_decompressor() -> Decompressor:
    import lzma

    return lzma.LZMADecompressor(memlimit=MOST_MEMORY)


class Format(NamedTuple):
    start: bytes
    new: Callable[[], Decompressor]


FORMATS = (
    Format(b"\x1f\x8b\x08", GzipDecompressor),
    Format(b"BZh", bz2_decompressor),
    Format(b"\xfd7zXZ\0", lzma_decompressor),
    # The format before xz.
    Format(b"\x5d\0\0\x80", lzma_decompressor),
)


class DecompressedStream:
    """Reads a stream and decompresses it, if it is compressed. Streams that follow each other are one.

    Raises ArchiveError, tarfile.ReadError for damage, EOFError for a stream that is cut, and errors of the file.
    """

    def __init__(self, file: ReadableFile) -> None:
        self._file = file
        self._input = b""
        self._fill()
        self._decompressor = self._next()
        self._is_plain = self._decompressor is None

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes, b"" at the end."""
        if self._is_plain:
            data, self._input = self._input[:size], self._input[size:]
            return data or self._file.read(size)
        while self._decompressor:
            if self._decompressor.eof:
                self._input = self._decompressor.unused_data
                self._fill(skipped=b"\0")
                # As gunzip does, ignore what follows and is no such stream.
                self._decompressor = self._next()
            elif data := self._decompress(self._decompressor, size):
                return data
        return b""

    def _decompress(self, decompressor: Decompressor, size: int) -> bytes:
        data = b""
        if decompressor.needs_input:
            data, self._input = self._input or self._file.read(INPUT), b""
        try:
            found = decompressor.decompress(data, size)
        except MemoryError:
            raise
        except Exception as exc:
            if "Memory usage limit" in str(exc):
                raise ArchiveError(
                    f"The archive needs more than {MOST_MEMORY >> 20} MB of memory to decompress",
                    "Decompress it first: xz -d <FILE>",
                ) from exc
            # zlib.error, lzma.LZMAError, and OSError of bz2.
            raise ReadError("invalid compressed data") from exc
        if not (data or found or decompressor.eof) and decompressor.needs_input:
            raise EOFError
        return found

    def _fill(self, skipped: bytes = b"") -> None:
        """Read enough to tell the format. Between streams, zeros are padding."""
        self._input = self._input.lstrip(skipped)
        while len(self._input) < LONGEST_START and (more := self._file.read(INPUT)):
            self._input = (self._input + more).lstrip(skipped)

    def _next(self) -> Decompressor | None:
        return next((each.new() for each in FORMATS if self._input.startswith(each.start)), None)
