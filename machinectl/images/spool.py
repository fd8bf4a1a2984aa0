"""The blobs of one archive, kept on disk while it is read, for any number of senders."""

from __future__ import annotations

import hashlib
import os
import threading
from typing import TYPE_CHECKING, NamedTuple

from machinectl.errors import Hint, MachineError
from machinectl.images.image import ArchiveError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from machinectl.images.image import Image

# Bytes.
PIECE = 1 << 20
# Bytes. containerd takes no larger manifest or configuration (core/content: 8 MiB).
LONGEST_DOCUMENT = 8 << 20
# Bytes of all manifests and configurations, as often as an archive names them.
LONGEST_DOCUMENTS = 64 << 20


class SourceError(MachineError):
    """The image cannot be read: no target is the reason."""


class Blob(NamedTuple):
    """A part of a file, in bytes. While the file is being written, `growth` knows how much there is."""

    path: str
    offset: int
    size: int
    growth: Growth | None = None

    def pieces(self) -> Iterator[bytes]:
        """Raise MachineError if the file cannot be read, or is shorter than it was; also the archive reader's error."""
        try:
            with open(self.path, "rb", opener=open_no_link) as file:
                file.seek(self.offset)
                left = self.size
                while left:
                    there = self.growth.wait_beyond(self.size - left) if self.growth else left
                    piece = file.read(min(PIECE, left, there))
                    if not piece:
                        break
                    left -= len(piece)
                    yield piece
        except OSError as exc:
            raise MachineError(f"Cannot read {self.path}: {exc.strerror or exc}") from exc
        if left:
            raise MachineError(f"{self.path} is shorter than it was", Hint("Run the same command again"))


def open_no_link(path: str, flags: int) -> int:
    """Open a file, but follow no link and wait for no pipe."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


class Spool:
    """Blobs by digest. One thread adds them; others wait for them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._blobs: dict[str, Blob] = {}
        self._read = 0
        self._image: Image | None = None
        self._failure: BaseException | None = None

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Raises the reader's error."""
        with self._changed:
            self._changed.wait_for(lambda: condition() or self._failure)
            if self._failure:
                raise self._failure

    def notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def add(self, digest: str, blob: Blob) -> None:
        with self._changed:
            self._blobs[digest] = blob
            self._changed.notify_all()

    def finish(self, image: Image) -> None:
        with self._changed:
            self._image = image
            self._changed.notify_all()

    def fail(self, failure: BaseException) -> None:
        with self._changed:
            self._failure = failure
            self._changed.notify_all()

    def blobs(self) -> Iterator[tuple[str, Blob]]:
        """Yield each blob as soon as the archive comes to it. Raises the reader's error."""
        seen = 0
        while found := self._after(seen):
            yield from found
            seen += len(found)

    def _after(self, seen: int) -> list[tuple[str, Blob]]:
        """Wait for more than `seen` blobs; return the rest, none at the end."""
        self.wait_for(lambda: len(self._blobs) > seen or self._image)
        with self._changed:
            return list(self._blobs.items())[seen:]

    @property
    def is_read(self) -> bool:
        return self._image is not None

    def image(self) -> Image:
        """Wait for the end of the archive. Raises the reader's error."""
        self.wait_for(lambda: self._image)
        if not self._image:
            raise RuntimeError("the archive has neither an image nor an error")
        return self._image

    def get(self, digest: str) -> Blob | None:
        return self._blobs.get(digest)

    def document(self, digest: str) -> bytes | None:
        """Return a small blob's content, or None. Raises ArchiveError if the digest is not its own.

        An engine would give the image another ID than the one that gets the name.
        """
        blob = self._blobs.get(digest)
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


class Growth:
    """How many bytes of a file the archive's reader has written."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._written = 0

    def add(self, count: int) -> None:
        self._written += count
        self._spool.notify()

    def wait_beyond(self, position: int) -> int:
        """Return how many bytes there are after a position, at least one. Raises the reader's error."""
        self._spool.wait_for(lambda: self._written > position)
        return self._written - position


def file_blob(path: str) -> Blob:
    return Blob(path, 0, os.path.getsize(path))
