"""Where an image comes from: an engine (default: docker's current one), or an archive."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.engine import Endpoint, EngineError
from machinectl.errors import Hint, MachineError, UsageError, closest_match, one_line
from machinectl.images.engine_images import Images, content_of, diff_ids_of, id_of, ids_by_name, saved_image
from machinectl.images.image import ArchiveError, is_image_id, parse_reference
from machinectl.images.read_archive import ArchiveReader
from machinectl.json_values import as_integer, as_list, as_text

if TYPE_CHECKING:
    from machinectl.images.image import Image
    from machinectl.images.read_archive import Spool, Wanted

STDIN = "-"
# To compare all of 20,000 names takes seconds.
MOST_COMPARED = 1000


@dataclass(frozen=True)
class SourceImage:
    """An image as its source describes it before the read; empty if the source must be read first.

    `size` is in bytes; containerd's includes the unpacked files. `layers` are diff IDs; blobs of the classic store
    have the same digests.
    """

    image_id: str = ""
    by_containerd: bool = False
    size: int = 0
    layers: tuple[str, ...] = ()
    # Whether it was given by its ID.
    by_id: bool = False
    # engine_images.content_of, or "".
    content: str = ""
    # The manifests that containerd's store has in full, None if it does not tell.
    stored: frozenset[str] | None = None


@dataclass(frozen=True)
class EngineSource:
    endpoint: Endpoint
    # The command that lists its images.
    listing: str = "docker images"
    # The flags that name another source.
    others: str = ""

    def find(self, wanted: Wanted) -> SourceImage:
        name = wanted.name
        if not is_image_id(name):
            parse_reference(name)
        try:
            with Images(self.endpoint) as images:
                image = images.image(name)
                if image is None:
                    raise no_such_image(name, self, images)
                by_containerd = images.engine().by_containerd
                # containerd takes long to list many images.
                names = [as_text(each) for each in as_list(image.get("RepoTags"))[:1]]
                stored = images.stored({"reference": names} if names else {}) if by_containerd else {}
        except EngineError as exc:
            if self.others:
                exc.hint = Hint(f"Take the image from elsewhere: {self.others}")
            raise
        if not id_of(image):
            raise MachineError(f"The engine at {self.endpoint.peer} gives the image no valid ID")
        size = max(0, as_integer(image.get("Size")))
        by_id = is_image_id(name) and parse_reference(name).name not in as_list(image.get("RepoTags"))
        if wanted.platform:
            # It may be one of several in the archive.
            return SourceImage(by_containerd=by_containerd, size=size, by_id=by_id)
        return SourceImage(
            id_of(image),
            by_containerd,
            size,
            tuple(diff_ids_of(image)),
            by_id,
            content_of(image),
            stored.get(id_of(image)),
        )

    def read(self, spool: Spool, wanted: Wanted, described: SourceImage) -> Image:
        try:
            # Its name may have moved to another image meanwhile.
            with saved_image(self.endpoint, described.image_id or wanted.name) as stream:
                return ArchiveReader(spool).read_stream(stream, wanted._replace(name=""), compressed=False)
        except (EngineError, ArchiveError) as exc:
            # The engine has stopped, or the image has been removed.
            peer = self.endpoint.peer
            raise MachineError(
                f"Cannot read the image from {peer}: {exc.cause}", Hint("Run the same command again")
            ) from exc


@dataclass(frozen=True)
class FileSource:
    """An archive of `docker save` or of an OCI layout, or - for stdin."""

    path: str

    def find(self, wanted: Wanted) -> SourceImage:
        image = one_line(wanted.name)
        if self.path == STDIN:
            if sys.stdin.isatty():
                pipe = f"docker save {shlex.quote(image)} | …"
                raise UsageError("stdin is a terminal, not an archive", Hint("Pipe an archive into the command", pipe))
        elif not os.path.exists(self.path):
            raise MachineError(f"There is no file {self.path}", Hint("Make one", "docker save -o", self.path, image))
        return SourceImage(by_id=is_image_id(wanted.name))

    def read(self, spool: Spool, wanted: Wanted, described: SourceImage) -> Image:  # noqa: ARG002 - as of an engine
        reader = ArchiveReader(spool)
        try:
            if self.path == STDIN:
                return reader.read_stream(sys.stdin.buffer, wanted)
            return reader.read_file(self.path, wanted)
        except ArchiveError as exc:
            raise ArchiveError(f"{'stdin' if self.path == STDIN else self.path}: {exc.cause}", exc.hint) from exc
        except OSError as exc:
            raise MachineError(
                f"Cannot read {self.path}: {exc.strerror or exc}", Hint("See", "ls -ld", self.path)
            ) from exc


def no_such_image(name: str, source: EngineSource, images: Images) -> MachineError:
    """Name the nearest image that is there."""
    near = closest_match(name, [*ids_by_name(images.listed())][:MOST_COMPARED])
    hint = Hint(f"Did you mean {one_line(near)}?") if near else Hint("List its images", source.listing)
    return MachineError(
        f"There is no image {one_line(name)!r} on the engine at {source.endpoint.peer}",
        hint,
        mistyped=(name, near) if near else None,
    )


Source = EngineSource | FileSource
