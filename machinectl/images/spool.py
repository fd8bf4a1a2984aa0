"""The blobs of one archive, kept on disk, for any number of senders."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, NamedTuple

from machinectl.errors import Hint, MachineError
from machinectl.images.image import ArchiveError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

# Bytes.
PIECE = 1 << 20
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
