"""Read tar archives of strangers in bounded memory. tarfile keeps every member, and headers as long as they say."""

from __future__ import annotations

import io
import tarfile
from contextlib import contextmanager
from tarfile import ReadError
from typing import IO, TYPE_CHECKING, Any, NoReturn, Protocol

from machinectl.errors import Hint, MachineError
from machinectl.images.image import SAVE, ArchiveError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

# Bytes to read at once of a stream: tarfile copies what is left of them for each header.
PIECE = 1 << 16

# Members that describe the next one or the whole archive, and how long all of them may be, in bytes.
HEADERS = {
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
}
LONGEST_HEADERS = 16 << 20
# An archive of 500 images has some 50,000.
MOST_MEMBERS = 100_000
# Bytes that tell how a stream is compressed.
LONGEST_START = 6
# How often tarfile may read at the end of a stream.
MOST_ENDS = 100


class ReadableFile(Protocol):
    def read(self, size: int, /) -> bytes: ...


class DecompressedStream:
    """Reads a stream, and decompresses it if gzip, bzip2 or xz has compressed it. tarfile decompresses whole pieces.

    Raises tarfile.ReadError for damage, EOFError for a stream that is cut, and errors of the file.
    """

    def __init__(self, file: Any) -> None:
        import bz2
        import gzip
        import lzma

        buffered = file if hasattr(file, "peek") else io.BufferedReader(file)
        start = buffered.peek(LONGEST_START)
        openers: dict[bytes, Any] = {b"\x1f\x8b\x08": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
        opener = next((opener for magic, opener in openers.items() if start.startswith(magic)), None)
        self._file = opener(buffered) if opener else buffered

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes, b"" at the end."""
        try:
            data: bytes = self._file.read(size)
        except (EOFError, MemoryError):
            raise
        except Exception as exc:
            if isinstance(exc, OSError) and exc.errno:
                raise
            # zlib.error, lzma.LZMAError, and OSError without a number of gzip and bz2.
            raise ReadError("invalid compressed data") from exc
        return data


class BoundedMember(tarfile.TarInfo):
    def _proc_member(self, archive: BoundedArchive) -> tarfile.TarInfo:
        if self.type in HEADERS:
            archive.headers += self.size
            if archive.headers > LONGEST_HEADERS:
                raise ArchiveError("The archive has headers that are too long")
        found: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]  # typeshed leaves it out
        return found

    def _block(self, count: int) -> int:
        if count < 0:
            # tarfile would go back in the archive, and read it again for ever.
            raise ReadError("a size is negative")
        found: int = super()._block(count)  # type: ignore[misc]  # typeshed leaves it out
        return found

    def _refuse_sparse(self, *_: object) -> NoReturn:
        # It would be as large as its header says.
        raise ArchiveError("The archive has a sparse file, which an image's archive has not")

    _proc_sparse = _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _refuse_sparse


class EndingStream:
    """Raises EOFError where tarfile would go on to read at the end, up to any size that a header claims."""

    def __init__(self, file: ReadableFile) -> None:
        self._file = file
        self._left = MOST_ENDS

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        if not data:
            self._left -= 1
            if self._left < 0:
                raise EOFError
        return data


class BoundedArchive(tarfile.TarFile):
    tarinfo = BoundedMember
    # Bytes of all headers so far.
    headers = 0


def members_of(file: ReadableFile, mode: Any = "r|") -> Generator[tuple[tarfile.TarInfo, IO[bytes] | None], None, None]:
    """Yield each member, and a regular file's content, to be read before the next one.

    `mode` is "r|" for a stream, "r:" for a file. Neither decompresses. Raises tarfile.ReadError if it is not an
    archive, ArchiveError, and errors of the file.
    """
    with refusing_damage():
        opened: Any = EndingStream(file) if mode == "r|" else file
        archive = BoundedArchive.open(fileobj=opened, mode=mode, bufsize=PIECE)
    with archive:
        for _ in range(MOST_MEMBERS):
            with refusing_damage():
                member = archive.next()
            if member is None:
                return
            # Typeshed leaves `members` out.
            archive.members.clear()  # type: ignore[attr-defined]
            yield member, archive.extractfile(member) if member.isfile() else None
    raise ArchiveError(f"The archive has more than {MOST_MEMBERS:,} files")


@contextmanager
def refusing_damage() -> Iterator[None]:
    """Raise ArchiveError: damaged headers make tarfile raise ValueError, RecursionError and others."""
    try:
        yield
    except (MachineError, OSError, MemoryError, ReadError):
        raise
    except Exception as exc:
        raise damaged() from exc


def damaged() -> ArchiveError:
    return ArchiveError("not an image archive, or cut short", Hint("Make one", SAVE))
