"""Read `docker save`'s archives and archives of OCI layouts.

Formats: OCI image layout 1.1; moby, image/tarexport (manifest.json).
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
import posixpath
import shutil
import tarfile
from contextlib import closing, contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from machinectl.errors import Hint, MachineError, UsageError, closest_match, one_line
from machinectl.images.bounded_tar import DecompressedStream, damaged, members_of
from machinectl.images.image import (
    CONFIG,
    MANIFEST,
    SAVE,
    ArchiveError,
    Document,
    digest_text,
    document,
    manifest_of_docker,
    members,
    names_of,
    parse_json,
    read_image,
)
from machinectl.images.reference import is_image_id, parse_reference, several_images
from machinectl.images.spool import LONGEST_DOCUMENT, PIECE, Blob, Growth, file_blob

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from io import FileIO

    from machinectl.images.spool import Spool

BLOBS = "blobs/sha256/"
HEX = 64
INDEX_FILE, MANIFEST_FILE = "index.json", "manifest.json"
# Room to leave on the disk, in bytes.
SPARE = 64 << 20
# Bytes at the start of a format that Python before 3.14 cannot read.
ZSTD = b"\x28\xb5\x2f\xfd"


class Wanted(NamedTuple):
    """An image by name or ID, "" for the only one, and its platform, "" for any."""

    name: str = ""
    platform: str = ""


class ArchiveReader:
    """Reads one archive into a spool. Layers in `skipped` (digests) are not kept."""

    def __init__(self, spool: Spool, directory: str, skipped: Collection[str] = ()) -> None:
        self._spool = spool
        self.directory = directory
        self._skipped = skipped
        self._documents: dict[str, bytes] = {}
        # Files of archives that do not name them by digest (Docker before 25, podman); and links between them.
        self._files: dict[str, Blob] = {}
        self._links: dict[str, str] = {}
        self._numbers = itertools.count()

    def read_stream(self, stream: IO[bytes], wanted: Wanted, *, compressed: bool = True) -> None:
        """Read a tar archive, `compressed` or not. Raises MachineError."""
        try:
            for member, content in members_of(DecompressedStream(stream) if compressed else stream):
                self._take(member, content)
        except (tarfile.TarError, EOFError) as exc:
            raise damaged() from exc
        self._finish(wanted)

    def read_file(self, path: str, wanted: Wanted) -> None:
        """Read an archive's file; the layers of an uncompressed one are not copied."""
        with open(path, "rb") as file:
            try:
                for member, content in members_of(file, "r:"):
                    self._take(member, content, Blob(path, member.offset_data, member.size))
            except tarfile.ReadError:
                # It may be compressed.
                file.seek(0)
                self.read_stream(file, wanted)
                return
        self._finish(wanted)

    def _take(self, member: tarfile.TarInfo, content: IO[bytes] | None, there: Blob | None = None) -> None:
        name = posixpath.normpath(member.name)
        if member.issym() or member.islnk():
            base = posixpath.dirname(name) if member.issym() else ""
            self._links[name] = posixpath.normpath(posixpath.join(base, member.linkname))
        if content is None:
            return
        if name in {INDEX_FILE, MANIFEST_FILE}:
            self._documents[name] = content.read(LONGEST_DOCUMENT)
        elif digest := digest_in(name):
            if digest in self._skipped:
                return
            if there:
                self._spool.add(digest, there)
            else:
                # Senders follow while it is written.
                self._keep(content, member.size, lambda blob: self._spool.add(digest, blob))
        elif name.endswith((".json", ".tar")):
            self._files[name] = there or self._keep(content, member.size)

    def _keep(self, content: IO[bytes], size: int, begun: Callable[[Blob], None] = lambda _: None) -> Blob:
        """Copy a file of the archive to a file of its own."""
        path = os.path.join(self.directory, str(next(self._numbers)))
        with spool_errors(self.directory):
            file = open(path, "xb", buffering=0)  # noqa: SIM115 (errors of reading are others)
        growth = Growth(self._spool)
        blob = Blob(path, 0, size, growth)
        begun(blob)
        with file:
            while piece := content.read(PIECE):
                with spool_errors(self.directory):
                    if shutil.disk_usage(self.directory).free < SPARE:
                        # A source can claim any size: leave other programs some room.
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    write_all(file, piece)
                growth.add(len(piece))
        return blob

    def _finish(self, wanted: Wanted) -> None:
        root = self._choose(wanted.name)
        self._spool.finish(read_image(root, self._spool.document, wanted.platform))

    def _choose(self, name: str) -> Document:
        """Return the descriptor of the wanted image. Raises MachineError, which lists the images of the archive."""
        found = list(self._candidates())
        if not found:
            raise ArchiveError("The archive holds no image, or is cut short", Hint("Save it again", SAVE))
        named = [root for root, names, ids in found if not name or is_called(name, names, ids)]
        by_digest = {root["digest"]: root for root, _, ids in found if begins_id(name, ids)}
        matching = named or list(by_digest.values())
        if len(matching) == 1 or (named and name):
            return matching[0]
        if name and matching:
            raise several_images(name, "the archive", len(matching), "tar -xOf <FILE> index.json")
        names = list(dict.fromkeys(short_name(name) for _, names, _ in found for name in names if ":" in name))
        names = names or [next(iter(ids)) for _, _, ids in found]
        there = ", ".join(one_line(each if each.isprintable() else repr(each)) for each in names[:10])
        if matching:
            raise UsageError(f"The archive holds {len(found)} images: {there}", Hint("Name one of them"))
        near = names[0] if len(names) == 1 else closest_match(name, names)
        raise MachineError(
            f"The archive holds no image {one_line(name)!r} (it has: {there})",
            Hint("Name one of these"),
            mistyped=(name, near) if near else None,
        )

    def _candidates(self) -> Iterator[tuple[Document, list[str], list[str]]]:
        """Yield each image's descriptor, names and IDs."""
        listed = self._listed()
        if INDEX_FILE not in self._documents:
            for each in listed:
                root, config = self._old_image(each)
                yield root, tags_of(each), [config, digest_text(root["digest"])]
            return
        tags = {config_of(each): tags_of(each) for each in listed}
        for root in members(parse_json(self._documents[INDEX_FILE], INDEX_FILE), "manifests"):
            digest = digest_text(root.get("digest"))
            config = config_below(root, self._spool)
            yield root, [*names_of(root), *tags.get(config, [])], [digest, config]

    def _listed(self) -> list[Document]:
        try:
            found = json.loads(self._documents.get(MANIFEST_FILE, b"[]"))
        except (ValueError, RecursionError) as exc:
            raise ArchiveError("The archive is damaged: manifest.json is not JSON") from exc
        return members({MANIFEST_FILE: found}, MANIFEST_FILE)

    def _old_image(self, listed: Document) -> tuple[Document, str]:
        """Make the manifest of an archive from before Docker 25; return its descriptor and the config's digest."""
        config = self._file(listed.get("Config"))
        if config.size > LONGEST_DOCUMENT:
            raise ArchiveError("The archive is damaged: its configuration is too long")
        data = b"".join(config.pieces())
        digest = self._add_document(data)
        layers = listed.get("Layers")
        files = [self._file(each) for each in layers] if isinstance(layers, list) else []
        root_fs = parse_json(data, "the configuration").get("rootfs")
        diff_ids = root_fs.get("diff_ids") if isinstance(root_fs, dict) else None
        if not isinstance(diff_ids, list) or len(diff_ids) != len(files):
            raise ArchiveError("The archive is damaged: its layers are not those of its configuration")
        for diff_id, file in zip(diff_ids, files, strict=True):
            self._spool.add(digest_text(diff_id), file)
        described = {"mediaType": CONFIG, "digest": digest, "size": len(data)}
        manifest = manifest_of_docker(
            described, [(diff_id, file.size) for diff_id, file in zip(diff_ids, files, strict=True)]
        )
        return {"mediaType": MANIFEST, "digest": self._add_document(manifest), "size": len(manifest)}, digest

    def _add_document(self, data: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        path = os.path.join(self.directory, digest)
        with open(path, "wb") as file:
            file.write(data)
        self._spool.add(digest, file_blob(path))
        return digest

    def _file(self, name: Any) -> Blob:
        path = posixpath.normpath(str(name))
        blob = self._files.get(self._links.get(path, path))
        if digest := digest_in(path):
            blob = self._spool.get(digest)
        if blob is None:
            raise ArchiveError(f"The archive is damaged: {one_line(path)} is missing")
        return blob


def check_archive(path: str) -> None:
    """Raise MachineError or OSError unless a file begins as an image's archive does."""
    if os.path.isdir(path):
        raise ArchiveError("a directory, not an archive", Hint("Make an archive", SAVE))
    with open(path, "rb") as file:
        start = file.read(len(ZSTD))
        file.seek(0)
        if not start:
            raise ArchiveError("the file is empty", Hint("Make an archive", SAVE))
        if start == ZSTD:
            raise ArchiveError("compressed with zstd", Hint("Decompress it first", "zstd -d", path))
        try:
            with closing(members_of(DecompressedStream(file))) as found:
                next(found, None)
        except (tarfile.TarError, EOFError) as exc:
            raise damaged() from exc


@contextmanager
def spool_errors(directory: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise MachineError(
            f"Cannot copy the image to {os.path.dirname(directory)}: {exc.strerror or exc}",
            Hint("Make room there, or use another directory", "export TMPDIR=<DIRECTORY>"),
        ) from exc


def write_all(file: FileIO, data: bytes) -> None:
    """Write all; a nearly full disk takes a part first."""
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


def digest_in(name: str) -> str:
    """Return the digest that a blob's path names, or ""."""
    hexadecimal = name.removeprefix(BLOBS)
    named = name.startswith(BLOBS) and len(hexadecimal) == HEX and set(hexadecimal) <= set("0123456789abcdef")
    return f"sha256:{hexadecimal}" if named else ""


def tags_of(listed: Mapping[str, Any]) -> list[str]:
    tags = listed.get("RepoTags")
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []


def config_of(listed: Mapping[str, Any]) -> str:
    return digest_in(posixpath.normpath(str(listed.get("Config"))))


def config_below(root: Document, spool: Spool) -> str:
    """Return the digest of a manifest's configuration, "" for an index."""
    config = document(root, spool.document).get("config")
    return digest_text(config.get("digest")) if isinstance(config, dict) else ""


def is_called(wanted: str, names: Collection[str], ids: Collection[str]) -> bool:
    """Return whether an image has this name or digest."""
    with suppress(UsageError):
        reference = parse_reference(wanted)
        if reference.digest and reference.digest in ids:
            return True
        return any(short_name(name) == reference.name for name in names)
    return False


def begins_id(wanted: str, ids: Collection[str]) -> bool:
    start = wanted.removeprefix("sha256:")
    return is_image_id(wanted) and any(each.removeprefix("sha256:").startswith(start) for each in ids)


def short_name(name: str) -> str:
    """Return a name as docker shows it."""
    with suppress(UsageError):
        return parse_reference(name).name
    return name
