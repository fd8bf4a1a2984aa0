"""Compressed archives are read as they are, in bounded memory, and damage is refused."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from machinectl.errors import MachineError
from machinectl.images import bounded_tar
from machinectl.images.bounded_tar import DecompressedStream
from machinectl.images.read_archive import ArchiveReader, Wanted, check_archive
from machinectl.images.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COMPRESS: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
DATA = bytes(range(256)) * 300
BOMB = 24 << 20


def all_of(data: bytes) -> bytes:
    stream = DecompressedStream(io.BytesIO(data))
    pieces = list(iter(lambda: stream.read(1000), b""))
    assert max(map(len, pieces), default=0) <= 1000
    return b"".join(pieces)


@pytest.mark.parametrize("compress", [*COMPRESS.values(), bytes], ids=[*COMPRESS, "plain"])
def test_a_stream_is_what_was_compressed(compress: Callable[[bytes], bytes]) -> None:
    assert all_of(compress(DATA)) == DATA
    assert all_of(compress(DATA) + compress(b"x")) == DATA + b"x"
    assert all_of(compress(b"")) == b""


@pytest.mark.parametrize("compress", COMPRESS.values(), ids=COMPRESS)
def test_a_stream_that_is_cut_or_damaged_is_no_archive(compress: Callable[[bytes], bytes]) -> None:
    data = compress(DATA)
    for cut in range(bounded_tar.LONGEST_START, len(data) - 8, 7):
        with pytest.raises(EOFError):
            all_of(data[:cut])
    with pytest.raises((tarfile.ReadError, EOFError)):
        all_of(data[:20] + bytes(60) + data[80:])


@pytest.mark.parametrize("compress", COMPRESS.values(), ids=COMPRESS)
def test_a_small_file_that_holds_very_much_takes_little_memory(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    info = tarfile.TarInfo("x")
    info.size = BOMB
    (tmp_path / "bomb").write_bytes(compress(info.tobuf() + bytes(BOMB) + bytes(1024)))
    tracemalloc.start()
    try:
        check_archive(str(tmp_path / "bomb"))
        with pytest.raises(MachineError, match="holds no image"):
            ArchiveReader(Spool(str(tmp_path))).read_file(str(tmp_path / "bomb"), Wanted())
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # xz's window has 8 MB.
    assert most < 16 << 20


def test_too_little_memory_of_this_computer_is_no_damage_of_the_archive() -> None:
    class Full:
        def read(self, _: int) -> bytes:
            raise MemoryError

    with pytest.raises(MemoryError):
        list(bounded_tar.members_of(Full()))
