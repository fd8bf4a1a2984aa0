"""Note the untagged images that are being sent to an engine: the next push removes those of a killed push."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from machinectl.files.atomic import PRIVATE_DIRECTORY, Translated
from machinectl.images.image import DIGEST

if TYPE_CHECKING:
    from collections.abc import Iterator

# Bytes.
LONGEST = 200


class Unfinished:
    """Images that are being sent to one engine. A note is locked while its process lives."""

    def __init__(self, directory: str, url: str) -> None:
        self._directory = os.path.join(directory, hashlib.sha256(url.encode()).hexdigest()[:16])

    @contextmanager
    def note(self, image_id: str) -> Iterator[None]:
        """Keep a note of the image; a killed process leaves it."""
        with Translated(self._directory):
            os.makedirs(self._directory, PRIVATE_DIRECTORY, exist_ok=True)
            descriptor, path = tempfile.mkstemp(dir=self._directory)
        try:
            with Translated(path):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                os.write(descriptor, image_id.encode())
            yield
            os.unlink(path)
        finally:
            os.close(descriptor)

    def take_abandoned(self) -> Iterator[str]:
        """Yield the images of ended processes; forget each after it has been dealt with."""
        with suppress(FileNotFoundError):
            for name in sorted(os.listdir(self._directory)):
                path = os.path.join(self._directory, name)
                # It is gone, or another user's, or no file.
                with suppress(FileNotFoundError, PermissionError, IsADirectoryError):
                    yield from self._abandoned(path)

    def _abandoned(self, path: str) -> Iterator[str]:
        descriptor = os.open(path, os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            # Its process lives.
            return
        else:
            image_id = os.read(descriptor, LONGEST).decode(errors="replace")
            if DIGEST.fullmatch(image_id):
                yield image_id
            os.unlink(path)
        finally:
            os.close(descriptor)
