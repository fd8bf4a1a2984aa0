"""Archives of docker and of other tools are read alike; damaged ones are refused with the reason."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
import tracemalloc
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl.errors import MachineError, UsageError
from machinectl.images import tar_members
from machinectl.images.image import parse_platform
from machinectl.images.read_archive import ArchiveReader, Spool, Wanted
from machinectl.images.tar_members import TarStream
from tests.support import archives
from tests.support.archives import Made, digest, layer, layout, saved, saved_by_old_docker, tar_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from machinectl.images.image import Image

LOW, HIGH = layer("low", b"low" * 1000), layer("high", b"high" * 1000)
APP = Made([LOW, HIGH])


def read(data: bytes, directory: Path, name: str = "", platform: str = "") -> tuple[Image, Spool]:
    spool = Spool(str(directory))
    return ArchiveReader(spool).read_stream(io.BytesIO(data), Wanted(name, platform)), spool


def refusal(data: bytes, directory: Path, name: str = "", platform: str = "") -> str:
    with pytest.raises(MachineError) as caught:
        read(data, directory, name, platform)
    return caught.value.cause


def test_an_archive_tells_its_layers_and_ids(tmp_path: Path) -> None:
    image, spool = read(saved({"app:1": APP}), tmp_path)
    [manifest] = image.manifests
    assert image.root["digest"] == APP.manifest_digest
    assert manifest.config == APP.config
    assert manifest.platform == "linux/amd64"
    assert [(each.diff_id, each.size) for each in manifest.layers] == [
        (digest(each), len(each)) for each in (LOW, HIGH)
    ]
    assert b"".join(spool.blobs[digest(HIGH)].pieces()) == HIGH


@pytest.mark.parametrize("place", ["/layer.tar", ".tar"])
def test_an_archive_of_podman_or_before_docker_25_has_the_same_layers(tmp_path: Path, place: str) -> None:
    twice = Made([LOW, HIGH, LOW])
    image, spool = read(saved_by_old_docker("app:1", twice, place), tmp_path, "app:1")
    [manifest] = image.manifests
    assert manifest.config == twice.config
    assert [each.diff_id for each in manifest.layers] == [digest(LOW), digest(HIGH), digest(LOW)]
    assert all(each.digest in spool.blobs for each in manifest.layers)


def test_the_archive_of_an_oci_layout_is_read_in_place(tmp_path: Path) -> None:
    source = tmp_path / "layout.tar"
    source.write_bytes(layout({"app": APP}))
    (tmp_path / "spool").mkdir()
    spool = Spool(str(tmp_path / "spool"))
    image = ArchiveReader(spool).read_file(str(source), Wanted("app"))
    assert image.root["digest"] == APP.manifest_digest
    assert b"".join(spool.blobs[digest(HIGH)].pieces()) == HIGH
    assert not list((tmp_path / "spool").iterdir())


@pytest.mark.parametrize(
    "name",
    [
        "app:1",
        "docker.io/library/app:1",
        APP.config,
        APP.config[7:19],
        APP.manifest_digest,
        f"app@{APP.manifest_digest}",
    ],
)
def test_one_of_several_images_is_picked_by_name_id_or_digest(tmp_path: Path, name: str) -> None:
    image, _ = read(saved({"app:1": APP, "other:2": Made([LOW])}), tmp_path, name)
    assert image.root["digest"] == APP.manifest_digest


def test_an_image_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    data = saved({"app:1": APP, "other:2": Made([LOW])})
    assert "it has: app:1" in refusal(data, tmp_path, "app:3")
    (tmp_path / "again").mkdir()
    assert "holds 2 images" in refusal(data, tmp_path / "again")
    (tmp_path / "escapes").mkdir()
    assert r", 'app\x1b[31m:1')" in refusal(saved({"app\x1b[31m:1": APP}), tmp_path / "escapes", "app:3")


def of_two_platforms(arm: Made) -> bytes:
    index = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": archives.INDEX,
            "manifests": [
                {**APP.descriptor, "platform": {"os": "linux", "architecture": "amd64"}},
                {**arm.descriptor, "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}},
            ],
        }
    ).encode()
    root = {"mediaType": archives.INDEX, "digest": digest(index), "size": len(index)}
    blobs = {archives.path_of(each): data for each, data in {**APP.blobs, **arm.blobs, digest(index): index}.items()}
    return tar_of({**blobs, "index.json": json.dumps({"schemaVersion": 2, "manifests": [root]}).encode()})


def test_an_index_that_names_a_long_manifest_again_and_again_is_refused(tmp_path: Path) -> None:
    made = Made([LOW])
    manifest = json.loads(made.blobs[made.manifest_digest])
    manifest["annotations"] = {"x": "x" * (1 << 20)}
    long = made.add(json.dumps(manifest).encode(), archives.MANIFEST)
    index = made.add(json.dumps({"manifests": [long] * 50}).encode(), archives.INDEX)
    assert len(read(layout({"app": made}, [index]), tmp_path)[0].manifests) == 50
    index = made.add(json.dumps({"manifests": [long] * 70}).encode(), archives.INDEX)
    (tmp_path / "again").mkdir()
    assert "more than 64 MB of manifests" in refusal(layout({"app": made}, [index]), tmp_path / "again")


def test_a_platform_is_one_manifest_of_an_index(tmp_path: Path) -> None:
    arm = Made([LOW], platform={"os": "linux", "architecture": "arm64"})
    data = of_two_platforms(arm)
    whole, _ = read(data, tmp_path)
    assert [each.platform for each in whole.manifests] == ["linux/amd64", "linux/arm64/v8"]
    (tmp_path / "again").mkdir()
    chosen, _ = read(data, tmp_path / "again", platform="linux/arm64")
    assert chosen.root["digest"] == arm.manifest_digest
    (tmp_path / "never").mkdir()
    assert "no variant for linux/s390x (it has: linux/amd64, linux/arm64/v8)" in refusal(
        data, tmp_path / "never", platform="linux/s390x"
    )


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "not an image archive"),
        (tar_of({"file": b"x"}), "holds no image, or is cut short"),
        (tar_of({"index.json": b"{"}), "index.json is not JSON"),
        (tar_of({"index.json": b"[]"}), "index.json is not an image's"),
        (tar_of({"manifest.json": b'[{"Config":"../../etc/passwd","Layers":[]}]'}), "passwd is missing"),
        (tar_of({"index.json": json.dumps({"manifests": [APP.descriptor]}).encode()}), "incomplete"),
        (tar_of({"index.json": b'{"manifests":[{"digest":"sha256:../x"}]}'}), "not a SHA-256 digest"),
        (saved({"app:1": APP})[:3000], "cut short"),
        (saved({"app:1": APP}).replace(b'"/true"', b'"/fals"'), f"{APP.config} is not the digest of that file"),
        (
            saved({"app:1": APP}).replace(APP.layer_digests[0].encode(), APP.layer_digests[1].encode()),
            "is not the digest of that file",
        ),
    ],
)
def test_a_damaged_archive_is_refused_in_one_line(tmp_path: Path, data: bytes, cause: str) -> None:
    found = refusal(data, tmp_path)
    assert cause in found
    assert "\n" not in found


@given(st.binary(max_size=200), st.integers(0, 20000), st.integers(0, 200))
def test_any_damage_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int, gone: int
) -> None:
    data = saved({"app:1": APP})
    damaged = data[:at] + noise + data[at + gone :]
    directory = tmp_path_factory.mktemp("spool")
    try:
        image, _ = read(damaged, directory)
    except MachineError:
        return
    assert all(each.layers for each in image.manifests)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("linux/arm/v7", "linux/arm/v7"),
        ("arm64", "linux/arm64"),
        ("aarch64", "linux/arm64"),
        ("Linux/X86_64", "linux/amd64"),
        ("linux/armhf", "linux/arm/v7"),
    ],
)
def test_other_spellings_are_the_same_platform(text: str, name: str) -> None:
    assert parse_platform(text) == name


@pytest.mark.parametrize("text", ["linux/", "/amd64", "linux", "a/b/c/d", "\x1b[31m", "linux amd64"])
def test_what_is_no_platform_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a platform") as caught:
        parse_platform(text)
    assert "\x1b" not in caught.value.cause


DAMAGED = "not an image archive (tar, gzip, bzip2 or xz), or cut short"
COMPRESS: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
END = bytes(1024)


def stream_refusal(data: bytes, directory: Path) -> str:
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
    assert stream_refusal(member(kind, 2 << 30) + END, tmp_path) == "The archive has headers that are too long"


def test_an_archive_of_very_many_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar_members, "MOST_MEMBERS", 3)
    assert stream_refusal(tar_of({str(at): b"" for at in range(4)}), tmp_path) == "The archive has more than 3 files"


@pytest.mark.parametrize("size", [b"\xff" * 12, b"\x80" + b"\xff" * 11, b"\xff" + bytes(11)])
def test_a_size_below_nothing_or_beyond_the_end_is_refused(tmp_path: Path, size: bytes) -> None:
    assert stream_refusal(member(content=b"1") + with_size(size) + END, tmp_path) == DAMAGED


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
        assert stream_refusal(broken, place) == DAMAGED


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
