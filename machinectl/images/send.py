"""Send an image to one engine: load it untagged, check that it is whole, tag it last."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from machinectl.engine import EngineError
from machinectl.engine.endpoint import DiskFullError
from machinectl.engine.probe import disk_full
from machinectl.images.engine_images import AGAIN, PATIENCE, Images, LoadError, load_image, tag_image
from machinectl.images.write_archive import archive, parcel
from machinectl.quantities import human_size

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container, Iterator

    from machinectl.engine import Endpoint
    from machinectl.errors import MachineError
    from machinectl.images.image import Image
    from machinectl.images.reference import Reference
    from machinectl.images.spool import Spool
    from machinectl.images.write_archive import Known

    Progress = Callable[[int, Collection[str]], None]


@dataclass(frozen=True)
class ImageTarget:
    endpoint: Endpoint
    known: Known


class Everything(frozenset[str]):
    """Has any member."""

    def __bool__(self) -> bool:
        return True

    def __contains__(self, _: object) -> bool:
        return True


@dataclass(frozen=True)
class Early:
    """What is known before the archive is read: the image's ID on the engine, and what to send as soon as it is read.

    `blobs` are digests.
    """

    image_id: str = ""
    blobs: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Sent:
    """Bytes: `sent` to the engine, and the image's `size`. Layers: those sent, of all."""

    sent: int
    size: int
    layers: int
    of_layers: int
    # The engine had the image before.
    present: bool = False
    # The ID of the image that had the name before.
    replaced: str = ""
    # No image had the name before.
    named: bool = False


def send_image(
    target: ImageTarget, spool: Spool, reference: Reference | None, early: Early, progress: Progress
) -> Sent:
    """Send what the engine lacks; tag it. `progress` gets how many bytes and which blobs have been sent so far.

    Raises MachineError, also the error of the archive's reader.
    """
    counter = Counter(progress)
    there = None if early.image_id or early.blobs else parcel(spool.image(), target.known)
    if not (there and there.present and finish_image(target, there.image_id, reference)):
        load_by_parts(target, spool, reference, early, counter)
    image = spool.image()
    found = parcel(image, target.known)
    return Sent(
        counter.total,
        image.size,
        len(counter.blobs.intersection(found.wanted)),
        len(found.wanted),
        present=found.present,
        replaced=replaced_image(target.known, found.image_id, reference),
        named=is_new_name(target.known, reference),
    )


def replaced_image(known: Known, image_id: str, reference: Reference | None) -> str:
    before = known.names.get(reference.name, "") if reference else ""
    return before if before != image_id else ""


def is_new_name(known: Known, reference: Reference | None) -> bool:
    return reference is not None and reference.name not in known.names


def finish_image(target: ImageTarget, image_id: str, reference: Reference | None) -> bool:
    """Give a whole image its name; return False if the engine no longer has it."""
    return reference is None or tag_image(target.endpoint, image_id, reference)


class Counter:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.total = 0
        # The digests of what was sent.
        self.blobs: set[str] = set()

    def counted(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            yield piece
            self.total += len(piece)
            self._progress(self.total, self.blobs)


def load_by_parts(
    target: ImageTarget, spool: Spool, reference: Reference | None, early: Early, counter: Counter
) -> None:
    """Load the image and name it when it is whole.

    An engine may lack a layer that it seemed to have: a base was removed, or containerd has it compressed otherwise.
    Then send the layers that were left out, and if that is not enough, all layers. A failure may leave an unnamed
    image. Only `docker image prune` removes it: it can be the user's own.
    """
    failure: MachineError = EngineError(
        f"The engine at {target.endpoint.peer} accepted the image, but lacks a part of it, or has removed it",
        AGAIN,
    )
    for known, blobs in attempts(target.known, spool, early):
        pieces = archive(spool, known, blobs, counter.blobs)
        try:
            load_image(target.endpoint, counter.counted(pieces))
        except LoadError as exc:
            failure = exc
        except DiskFullError as exc:
            size = f" ({human_size(parcel(spool.image(), known).size)})" if spool.is_read else ""
            raise disk_full(target.endpoint, f"{exc.cause}: loading it takes about twice its size{size}") from exc
        image_id = parcel(spool.image(), target.known).image_id
        # It may be whole in spite of an error: another push loads the same image at this moment. A whole one may be
        # gone before it has its name: `docker image prune` removes it.
        if is_whole(target, image_id, spool.image()) and finish_image(target, image_id, reference):
            return
    raise failure


def attempts(known: Known, spool: Spool, early: Early) -> Iterator[tuple[Known, Container[str]]]:
    """Yield what to take for known, with the blobs to send early."""
    yield known, early.blobs
    if known.by_containerd and known.diff_ids:
        manifest = parcel(spool.image(), known).manifest
        sent = {layer.diff_id for layer in manifest.layers} - known.diff_ids
        yield replace(known.everything_missing(), diff_ids=frozenset(sent)), ()
    if known.chain_ids or known.diff_ids:
        yield known.everything_missing(), ()


def is_whole(target: ImageTarget, image_id: str, image: Image) -> bool:
    with Images(target.endpoint, PATIENCE) as images:
        if target.known.by_containerd:
            return images.is_whole(image_id, [each.digest for each in image.variants])
        return images.image(image_id) is not None
