"""Archives of strangers cost bounded memory and time, and damaged ones are refused in one line."""

from __future__ import annotations

import io
import tarfile
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from machinectl.errors import MachineError
from machinectl.images import bounded_tar
from machinectl.images.read_archive import ArchiveReader, Wanted
from machinectl.images.spool import Spool
from tests.support.archives import Made, digest, layer, path_of, saved, tar_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAMAGED = "not an image archive, or cut short"
CUT = "The archive holds no image, or is cut short"
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


@pytest.mark.parametrize("kind", sorted(bounded_tar.HEADERS))
def test_headers_are_not_kept_in_memory_however_long_they_say_they_are(tmp_path: Path, kind: bytes) -> None:
    assert refusal(member(kind, 2 << 30) + END, tmp_path) == "The archive has headers that are too long"


def test_many_headers_are_no_more_than_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_tar, "LONGEST_HEADERS", 1 << 10)
    data = b"".join(pax(b"k%d" % at, bytes(100), tarfile.XGLTYPE) + member() for at in range(20))
    assert refusal(data + END, tmp_path) == "The archive has headers that are too long"


def test_a_header_of_headers_of_headers_is_refused(tmp_path: Path) -> None:
    assert refusal(member(tarfile.GNUTYPE_LONGNAME, content=b"abc") * 5000 + END, tmp_path) == DAMAGED


def test_an_archive_of_very_many_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_tar, "MOST_MEMBERS", 3)
    assert refusal(tar_of({str(at): b"" for at in range(4)}), tmp_path) == "The archive has more than 3 files"


@pytest.mark.parametrize("size", [b"\xff" * 12, b"\x80" + b"\xff" * 11, b"\xff" + bytes(11)])
def test_a_size_below_nothing_or_beyond_the_end_is_refused(tmp_path: Path, size: bytes) -> None:
    # tarfile before Python 3.13.6 goes back by a negative size, and reads for ever.
    assert refusal(member(content=b"1") + with_size(size) + END, tmp_path) in {DAMAGED, CUT}


def sparse() -> Iterator[bytes]:
    yield member(tarfile.GNUTYPE_SPARSE, name=path_of(digest(b"")))
    for key in (b"GNU.sparse.size", b"GNU.sparse.map"):
        for value in (b"5", b"abc", b"9" * 5000):
            yield pax(key, value) + member(name=path_of(digest(b"")))


@pytest.mark.parametrize("data", list(sparse()))
def test_a_sparse_file_is_refused_before_it_fills_the_disk(tmp_path: Path, data: bytes) -> None:
    assert refusal(data + END, tmp_path) in {"The archive has a sparse file, which an image's archive has not", DAMAGED}
    assert not [path for path in tmp_path.glob("?/*") if path.is_file()]


@pytest.mark.parametrize("key", [b"size", b"mtime", b"uid", b"path", b"hdrcharset", b"GNU.sparse.realsize"])
@pytest.mark.parametrize("value", [b"-1024", b"1e9", b"\xff\xff", b"9" * 5000, b""])
def test_any_value_of_a_header_is_refused_or_harmless(tmp_path: Path, key: bytes, value: bytes) -> None:
    data = pax(key, value) + member(content=b"x") + saved({"app:1": Made([layer("a", b"b")])})
    (tmp_path / "spool").mkdir()
    with suppress(MachineError):
        assert ArchiveReader(Spool(str(tmp_path / "spool"))).read_stream(io.BytesIO(data), Wanted()).manifests
