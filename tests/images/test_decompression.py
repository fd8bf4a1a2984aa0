"""Compressed archives cost bounded memory and work, however large their content is."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import tracemalloc
from functools import partial
from typing import TYPE_CHECKING

import pytest

from machinectl.errors import MachineError
from machinectl.images import bounded_tar, decompression
from machinectl.images.decompression import DecompressedStream
from machinectl.images.read_archive import ArchiveReader, Wanted, check_archive
from machinectl.images.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gz": partial(gzip.compress, mtime=0),
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": partial(lzma.compress, format=lzma.FORMAT_ALONE),
}
DATA = bytes(range(256)) * 300
BOMB = 96 << 20


class Source:
    """Gives a few bytes at a time, as a pipe may."""

    def __init__(self, data: bytes, most: int) -> None:
        self._file = io.BytesIO(data)
        self._most = most

    def read(self, size: int) -> bytes:
        return self._file.read(min(size, self._most))


def all_of(data: bytes, most: int = 1 << 20, size: int = 1000) -> bytes:
    stream = DecompressedStream(Source(data, most))
    pieces = list(iter(lambda: stream.read(size), b""))
    assert max(map(len, pieces), default=0) <= size
    return b"".join(pieces)


@pytest.mark.parametrize("compress", [*COMPRESS.values(), bytes], ids=[*COMPRESS, "plain"])
@pytest.mark.parametrize("most", [1, 7, 1 << 20])
def test_a_stream_is_what_was_compressed_in_pieces_of_any_size(compress: Callable[[bytes], bytes], most: int) -> None:
    assert all_of(compress(DATA), most) == DATA
    assert all_of(compress(b""), most) == b""


@pytest.mark.parametrize("compress", COMPRESS.values(), ids=COMPRESS)
@pytest.mark.parametrize("most", [1, 1 << 20])
def test_streams_that_follow_each_other_are_one(compress: Callable[[bytes], bytes], most: int) -> None:
    parts = [DATA, b"", b"x", DATA]
    assert all_of(b"".join(map(compress, parts)), most) == b"".join(parts)
    assert all_of(compress(DATA) + bytes(40000) + compress(b"x") + bytes(5), most) == DATA + b"x"
    assert all_of(compress(DATA) + b"what follows", most) == DATA


@pytest.mark.parametrize("compress", COMPRESS.values(), ids=COMPRESS)
def test_a_stream_that_is_cut_anywhere_is_no_end(compress: Callable[[bytes], bytes]) -> None:
    data = compress(DATA)
    for cut in range(decompression.LONGEST_START, len(data) - 8, 7):
        with pytest.raises(EOFError):
            all_of(data[:cut])


@pytest.mark.parametrize("compress", COMPRESS.values(), ids=COMPRESS)
def test_damage_is_an_error_of_the_archive(compress: Callable[[bytes], bytes]) -> None:
    data = bytearray(compress(DATA))
    data[20:80] = bytes(60)
    with pytest.raises((tarfile.ReadError, EOFError)):
        all_of(bytes(data))


@pytest.mark.parametrize("compress", COMPRESS.values(), ids=COMPRESS)
def test_a_small_file_that_holds_very_much_takes_little_memory_and_no_more_work_than_its_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compress: Callable[[bytes], bytes]
) -> None:
    info = tarfile.TarInfo("x")
    info.size = BOMB
    (tmp_path / "bomb").write_bytes(compress(info.tobuf() + bytes(BOMB) + bytes(1024)))
    read, sizes = DecompressedStream.read, list[int]()

    def counted(stream: DecompressedStream, size: int) -> bytes:
        data = read(stream, size)
        sizes.append(len(data))
        return data

    monkeypatch.setattr(DecompressedStream, "read", counted)
    tracemalloc.start()
    try:
        check_archive(str(tmp_path / "bomb"))
        with pytest.raises(MachineError, match="holds no image"):
            ArchiveReader(Spool(), str(tmp_path)).read_file(str(tmp_path / "bomb"), Wanted())
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # xz's window has 8 MB.
    assert most < 16 << 20
    # tarfile copies what is left of a piece for each read.
    assert max(sizes) <= bounded_tar.PIECE
    assert BOMB <= sum(sizes) < BOMB + (1 << 20)
    assert len(sizes) < 2 * BOMB // bounded_tar.PIECE


def test_an_archive_that_needs_much_memory_by_what_it_says_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decompression, "MOST_MEMORY", 1 << 20)
    with pytest.raises(MachineError, match="more than 1 MB of memory to decompress"):
        all_of(lzma.compress(DATA))


def test_too_little_memory_of_this_computer_is_no_damage_of_the_archive() -> None:
    class Full:
        def read(self, _: int) -> bytes:
            raise MemoryError

    with pytest.raises(MemoryError):
        list(bounded_tar.members_of(Full()))
