"""Note the untagged images that are being sent to an engine: the next push removes those of a killed push."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from machinectl.files.atomic import PRIVATE_DIRECTORY, Translated
from machinectl.files.descriptor_lock import take_lock
from machinectl.images.image import DIGEST

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

# Bytes.
LONGEST = 200


class Unfinished:
    """Images that are being sent to one engine. A note is locked while its process lives."""

    def __init__(self, directory: str, url: str) -> None:
        self._directory = os.path.join(directory, hashlib.sha256(url.encode()).hexdigest()[:16])

    @contextmanager
    def note(self, image_id: str) -> Iterator[None]:
        """Keep a note of the image; a killed or failed process leaves it."""
        path, descriptor = self._new_note(image_id)
        try:
            yield
            with suppress(FileNotFoundError):
                os.unlink(path)
        finally:
            os.close(descriptor)

    def _new_note(self, image_id: str) -> tuple[str, int]:
        """Return a locked note and its descriptor. Another process may take one before it is locked."""
        with Translated(self._directory):
            os.makedirs(self._directory, PRIVATE_DIRECTORY, exist_ok=True)
            while True:
                descriptor, path = tempfile.mkstemp(dir=self._directory)
                os.write(descriptor, image_id.encode())
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if os.fstat(descriptor).st_nlink:
                    return path, descriptor
                os.close(descriptor)

    def take_abandoned(self) -> Generator[str, None, None]:
        """Yield the images of ended processes that no other process sends; forget each after it has been dealt with."""
        with ExitStack() as stack:
            abandoned: dict[str, str] = {}
            living: set[str] = set()
            for path in self._paths():
                # It is gone, or another user's, or no file.
                with suppress(FileNotFoundError, PermissionError, IsADirectoryError):
                    descriptor = os.open(path, os.O_RDWR)
                    stack.callback(os.close, descriptor)
                    image_id = os.read(descriptor, LONGEST).decode(errors="replace")
                    if take_lock(descriptor):
                        abandoned[path] = image_id
                    else:
                        living.add(image_id)
            for path, image_id in abandoned.items():
                if DIGEST.fullmatch(image_id) and image_id not in living:
                    yield image_id
                with suppress(FileNotFoundError):
                    os.unlink(path)

    def _paths(self) -> list[str]:
        try:
            return sorted(os.path.join(self._directory, name) for name in os.listdir(self._directory))
        except FileNotFoundError:
            return []
