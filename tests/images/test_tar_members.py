"""Archives of strangers, compressed or not, cost bounded memory and time, and damaged ones are refused in one line."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import tracemalloc
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from machinectl.errors import MachineError
from machinectl.images import tar_members
from machinectl.images.read_archive import ArchiveReader, Spool, Wanted
from machinectl.images.tar_members import TarStream
from tests.support.archives import Made, layer, saved, tar_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DAMAGED = "not an image archive (tar, gzip, bzip2 or xz), or cut short"
COMPRESS: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
END = bytes(1024)


def refusal(data: bytes, directory: Path) -> str:
    """Return the error of an archive that is read as a stream, which is that of the same file."""
    file = directory / "file.tar"
    file.write_bytes(data)
    found = []
    for at, read in enumerate((True, False)):
        (spool := directory / str(at)).mkdir()
        reader = ArchiveReader(Spool(str(spool)))
        with pytest.raises(MachineError) as caught:
            reader.read_stream(io.BytesIO(data), Wanted()) if read else reader.read_file(str(file), Wanted())
        found.append(caught.value.cause)
    assert found[0] == found[1]
    return found[0]


def member(kind: bytes = tarfile.REGTYPE, size: int = 0, name: str = "x", content: bytes = b"") -> bytes:
    """Return a member, whose size may only be claimed."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size or len(content)
    return info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)


def with_size(field: bytes) -> bytes:
    """Return a member whose size is any 12 bytes."""
    header = bytearray(member())
    header[124:136], header[148:156] = field, b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def pax(key: bytes, value: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    record = b" " + key + b"=" + value + b"\n"
    length = next(each for each in range(len(record), len(record) + 9) if len(str(each)) + len(record) == each)
    return member(kind, content=str(length).encode() + record)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE])
def test_headers_are_not_kept_in_memory_however_long_they_say_they_are(tmp_path: Path, kind: bytes) -> None:
    assert refusal(member(kind, 2 << 30) + END, tmp_path) == "The archive has headers that are too long"


def test_an_archive_of_very_many_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar_members, "MOST_MEMBERS", 3)
    assert refusal(tar_of({str(at): b"" for at in range(4)}), tmp_path) == "The archive has more than 3 files"


@pytest.mark.parametrize("size", [b"\xff" * 12, b"\x80" + b"\xff" * 11, b"\xff" + bytes(11)])
def test_a_size_below_nothing_or_beyond_the_end_is_refused(tmp_path: Path, size: bytes) -> None:
    assert refusal(member(content=b"1") + with_size(size) + END, tmp_path) == DAMAGED


@pytest.mark.parametrize("key", [b"size", b"mtime", b"uid", b"path", b"hdrcharset", b"GNU.sparse.realsize"])
@pytest.mark.parametrize("value", [b"-1024", b"1e9", b"\xff\xff", b"9" * 5000, b""])
def test_any_value_of_a_header_is_refused_or_harmless(tmp_path: Path, key: bytes, value: bytes) -> None:
    data = pax(key, value) + member(content=b"x") + saved({"app:1": Made([layer("a", b"b")])})
    (tmp_path / "spool").mkdir()
    with suppress(MachineError):
        assert ArchiveReader(Spool(str(tmp_path / "spool"))).read_stream(io.BytesIO(data), Wanted()).manifests


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_names_links_and_contents_are_read_as_tarfile_writes_them(form: int) -> None:
    names = ["short", "directory/" * 12 + "ü", f"{'a' * 90}/{'b' * 60}"]
    names = [name for name in names if form != tarfile.USTAR_FORMAT or name.isascii()]
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=form) as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(name)
            archive.addfile(info, io.BytesIO(name[0].encode() * len(name)))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, names[-1][:99]
        archive.addfile(link)
    stream = TarStream(io.BytesIO(data.getvalue()))
    read = [(each.name, each.linkname, stream.read(1000)) for each in stream.members()]
    assert read == [*((name, "", name[0].encode() * len(name)) for name in names), ("link", names[-1][:99], b"")]


@pytest.mark.parametrize("compress", COMPRESS.values(), ids=COMPRESS)
def test_a_compressed_archive_is_read_and_one_that_is_cut_or_damaged_is_refused(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    data = saved({"app:1": Made([layer("a", bytes(range(256)) * 30)])})
    packed = compress(data[:5000]) + compress(data[5000:])
    (tmp_path / "spool").mkdir()
    assert ArchiveReader(Spool(str(tmp_path / "spool"))).read_stream(io.BytesIO(packed), Wanted()).manifests
    for at, broken in enumerate((packed[: len(packed) // 2], packed[:9], packed[:20] + bytes(60) + packed[80:])):
        (place := tmp_path / f"broken{at}").mkdir()
        assert refusal(broken, place) == DAMAGED


@pytest.mark.parametrize("compress", COMPRESS.values(), ids=COMPRESS)
def test_a_small_file_that_holds_very_much_takes_little_memory(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    info = tarfile.TarInfo("x")
    info.size = 24 << 20
    (tmp_path / "bomb").write_bytes(compress(info.tobuf() + bytes(info.size) + bytes(1024)))
    tracemalloc.start()
    try:
        with pytest.raises(MachineError, match="holds no image"):
            ArchiveReader(Spool(str(tmp_path))).read_file(str(tmp_path / "bomb"), Wanted())
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # xz's window has 8 MB.
    assert most < 16 << 20
