"""Read `docker save`'s archives and archives of OCI layouts.

Formats: OCI image layout 1.1; moby, image/tarexport (manifest.json).
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import posixpath
import shutil
import tarfile
from contextlib import suppress
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any, NamedTuple

from machinectl.errors import Hint, MachineError, UsageError, one_line
from machinectl.images.image import (
    DIGEST,
    SAVE,
    ArchiveError,
    Document,
    digest_of,
    digest_text,
    document,
    is_image_id,
    members,
    parse_json,
    parse_reference,
    read_image,
)
from machinectl.images.tar_members import PIECE, TarStream
from machinectl.json_values import as_dict, as_list

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from machinectl.images.image import Image

BLOBS = "blobs/sha256/"
FILES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
INDEX_FILE, MANIFEST_FILE = "index.json", "manifest.json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
# Annotations that name an image in an archive (containerd, core/images/annotations.go; OCI).
NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
# Room to leave on the disk, in bytes.
SPARE = 64 << 20
# Bytes. containerd takes no larger manifest or configuration (core/content: 8 MiB).
LONGEST_DOCUMENT = 8 << 20
# Bytes of all manifests and configurations, as often as an archive names them.
LONGEST_DOCUMENTS = 64 << 20


class Blob(NamedTuple):
    """A part of a file, in bytes."""

    path: str
    offset: int
    size: int

    def pieces(self) -> Iterator[bytes]:
        """Raise MachineError if the file cannot be read, or is shorter than it was."""
        left = self.size
        try:
            with open(self.path, "rb") as file:
                file.seek(self.offset)
                while left and (piece := file.read(min(PIECE, left))):
                    left -= len(piece)
                    yield piece
        except OSError as exc:
            raise MachineError(f"Cannot read {self.path}: {exc.strerror or exc}") from exc
        if left:
            raise MachineError(f"{self.path} is shorter than it was", Hint("Run the same command again"))


class Spool:
    """`blobs` are by digest. Layers in `skipped` (digests) are not kept."""

    def __init__(self, directory: str, skipped: Collection[str] = ()) -> None:
        self.directory = directory
        self.skipped = skipped
        self.blobs: dict[str, Blob] = {}
        self._read = 0

    def document(self, digest: str) -> bytes | None:
        """Return a small blob's content, or None. Raises ArchiveError if the digest is not its own.

        An engine would give the image another ID than the one that gets the name.
        """
        blob = self.blobs.get(digest)
        if not blob or blob.size > LONGEST_DOCUMENT:
            return None
        self._read += blob.size
        if self._read > LONGEST_DOCUMENTS:
            raise ArchiveError(
                f"The archive names more than {LONGEST_DOCUMENTS >> 20} MB of manifests and configurations"
            )
        content = b"".join(blob.pieces())
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
            raise ArchiveError(f"The archive is damaged: {digest} is not the digest of that file")
        return content

    def add_document(self, content: bytes) -> str:
        """Keep a document of ours; return its digest."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        path = os.path.join(self.directory, digest)
        with open(path, "wb") as file:
            file.write(content)
        self.blobs[digest] = Blob(path, 0, len(content))
        return digest


class Wanted(NamedTuple):
    """An image by name or ID, "" for the only one, and its platform, "" for any."""

    name: str = ""
    platform: str = ""


class Candidate(NamedTuple):
    """An image of an archive: its descriptor, names, and IDs."""

    root: Document
    names: list[str]
    ids: list[str]


class ArchiveReader:
    """Reads one archive into a spool."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._documents: dict[str, bytes] = {}
        # Files of archives that do not name them by digest (Docker before 25, podman); and links between them.
        self._files: dict[str, Blob] = {}
        self._links: dict[str, str] = {}

    def read_stream(self, stream: Any, wanted: Wanted, *, compressed: bool = True) -> Image:
        """Read a tar archive, which may be `compressed`. Raises MachineError."""
        return self._read(TarStream(stream, compressed=compressed), wanted, "")

    def read_file(self, path: str, wanted: Wanted) -> Image:
        """Read an archive's file; the layers of an uncompressed one are not copied."""
        with open(path, "rb") as file:
            archive = TarStream(file)
            return self._read(archive, wanted, "" if archive.is_compressed else path)

    def _read(self, archive: TarStream, wanted: Wanted, path: str) -> Image:
        for member in archive.members():
            self._take(member, archive, Blob(path, member.offset_data, member.size) if path else None)
        chosen = choose(list(self._candidates()), wanted.name)
        return read_image(chosen.root, self._spool.document, wanted.platform)

    def _take(self, member: tarfile.TarInfo, archive: TarStream, place: Blob | None) -> None:
        name = posixpath.normpath(member.name)
        digest = digest_in(name)
        if member.issym() or member.islnk():
            base = posixpath.dirname(name) if member.issym() else ""
            self._links[name] = posixpath.normpath(posixpath.join(base, member.linkname))
        if member.type not in FILES:
            return
        if name in {INDEX_FILE, MANIFEST_FILE}:
            self._documents[name] = archive.read(LONGEST_DOCUMENT)
        elif digest and digest not in self._spool.skipped:
            self._spool.blobs[digest] = place or self._keep(archive, member.size)
        elif not digest and name.endswith((".json", ".tar")):
            self._files[name] = place or self._keep(archive, member.size)

    def _keep(self, archive: TarStream, size: int) -> Blob:
        """Copy a file of the archive to a file of its own."""
        directory = self._spool.directory
        try:
            with NamedTemporaryFile(dir=directory, delete=False) as file:
                while piece := archive.read(PIECE):
                    if shutil.disk_usage(directory).free < SPARE:
                        # A source can claim any size: leave other programs some room.
                        raise cannot_copy(directory, os.strerror(errno.ENOSPC))
                    file.write(piece)
        except OSError as exc:
            raise cannot_copy(directory, exc.strerror or str(exc)) from exc
        return Blob(file.name, 0, size)

    def _candidates(self) -> Iterator[Candidate]:
        listed = self._listed()
        if INDEX_FILE not in self._documents:
            yield from map(self._old_image, listed)
            return
        tags = {digest_in(posixpath.normpath(str(each.get("Config")))): texts(each.get("RepoTags")) for each in listed}
        for root in members(parse_json(self._documents[INDEX_FILE], INDEX_FILE), "manifests"):
            annotations = as_dict(root.get("annotations"))
            # An index has no configuration.
            config = document(root, self._spool.document).get("config")
            config_digest = digest_of(config) if isinstance(config, dict) else ""
            names = texts([annotations.get(key) for key in NAMES]) + tags.get(config_digest, [])
            yield Candidate(root, names, [digest_of(root), config_digest])

    def _listed(self) -> list[Document]:
        try:
            value = json.loads(self._documents.get(MANIFEST_FILE, b"[]"))
        except (ValueError, RecursionError) as exc:
            raise ArchiveError("The archive is damaged: manifest.json is not JSON") from exc
        return members({MANIFEST_FILE: value}, MANIFEST_FILE)

    def _old_image(self, listed: Document) -> Candidate:
        """Make the manifest of an archive from before Docker 25, which has none."""
        config = self._file(listed.get("Config"))
        if config.size > LONGEST_DOCUMENT:
            raise ArchiveError("The archive is damaged: its configuration is too long")
        data = b"".join(config.pieces())
        digest = self._spool.add_document(data)
        files = [self._file(each) for each in as_list(listed.get("Layers"))]
        diff_ids = as_list(as_dict(parse_json(data, "the configuration").get("rootfs")).get("diff_ids"))
        if len(diff_ids) != len(files):
            raise ArchiveError("The archive is damaged: its layers are not those of its configuration")
        layers = dict(zip(map(digest_text, diff_ids), files, strict=True))
        self._spool.blobs |= layers
        described = [{"mediaType": LAYER, "digest": each, "size": layers[each].size} for each in diff_ids]
        root = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": digest, "size": len(data)},
            "layers": described,
        }
        manifest = json.dumps(root, separators=(",", ":")).encode()
        descriptor = {"mediaType": MANIFEST, "digest": self._spool.add_document(manifest), "size": len(manifest)}
        return Candidate(descriptor, texts(listed.get("RepoTags")), [digest, str(descriptor["digest"])])

    def _file(self, name: Any) -> Blob:
        path = posixpath.normpath(str(name))
        blob = self._spool.blobs.get(digest_in(path)) or self._files.get(self._links.get(path, path))
        if blob is None:
            raise ArchiveError(f"The archive is damaged: {one_line(path)} is missing")
        return blob


def choose(candidates: list[Candidate], name: str) -> Candidate:
    """Return the wanted image. Raises MachineError, which lists the images of the archive."""
    if not candidates:
        raise ArchiveError("The archive holds no image, or is cut short", Hint("Save it again", SAVE))
    named = [each for each in candidates if not name or is_called(name, each)]
    start = name.removeprefix("sha256:")
    by_digest = {
        each.root["digest"]: each
        for each in candidates
        if is_image_id(name) and any(identifier.removeprefix("sha256:").startswith(start) for identifier in each.ids)
    }
    matching = named or list(by_digest.values())
    if len(matching) == 1 or (named and name):
        return matching[0]
    names = [short_name(each) for candidate in candidates for each in candidate.names if ":" in each]
    names = list(dict.fromkeys(names)) or [each.ids[0] for each in candidates]
    shown = ", ".join(one_line(each if each.isprintable() else repr(each)) for each in names[:10])
    if matching:
        raise UsageError(f"The archive holds {len(candidates)} images: {shown}", Hint("Name one of them"))
    raise MachineError(f"The archive holds no image {one_line(name)!r} (it has: {shown})", Hint("Name one of these"))


def cannot_copy(directory: str, why: str) -> MachineError:
    return MachineError(
        f"Cannot copy the image to {os.path.dirname(directory)}: {why}",
        Hint("Make room there, or use another directory", "export TMPDIR=<DIRECTORY>"),
    )


def digest_in(name: str) -> str:
    """Return the digest that a blob's path names, or ""."""
    digest = f"sha256:{name.removeprefix(BLOBS)}"
    return digest if name.startswith(BLOBS) and DIGEST.fullmatch(digest) else ""


def texts(values: Any) -> list[str]:
    return [each for each in as_list(values) if isinstance(each, str)]


def is_called(wanted: str, candidate: Candidate) -> bool:
    """Return whether an image has this name or digest."""
    with suppress(UsageError):
        reference = parse_reference(wanted)
        if reference.digest and reference.digest in candidate.ids:
            return True
        return any(short_name(name) == reference.name for name in candidate.names)
    return False


def short_name(name: str) -> str:
    """Return a name as docker shows it."""
    with suppress(UsageError):
        return parse_reference(name).name
    return name
