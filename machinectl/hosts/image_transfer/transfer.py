"""Send one image to many engines. The source is read once."""

from __future__ import annotations

import os
import shutil
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from machinectl.console import SilentConsole
from machinectl.errors import MachineError
from machinectl.files.atomic import quote_path
from machinectl.files.spool_directory import spool_directory
from machinectl.go.units import human_size
from machinectl.hosts.parallel.workers import LIMIT, run_at_once
from machinectl.images.engine_images import Images, tag_image
from machinectl.images.image import chain_ids
from machinectl.images.read_archive import SPARE, ArchiveReader, Wanted
from machinectl.images.send import NOTHING_EARLY, Early, ImageTarget, Sent, replaced_image, send_image
from machinectl.images.spool import Spool
from machinectl.images.unfinished import Unfinished
from machinectl.images.write_archive import parcel

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from machinectl.console import Console
    from machinectl.engine import Endpoint
    from machinectl.hosts.image_transfer.image_sources import Source, SourceImage
    from machinectl.images.reference import Reference


@dataclass(frozen=True)
class Order:
    """Send the image `wanted` from `source`, and give it the name `reference`, None for none.

    An image that was given by its ID gets a name only if that is `renamed`. `notes` is the directory that notes images
    while they are sent.
    """

    source: Source
    wanted: Wanted
    reference: Reference | None
    notes: str
    renamed: bool = False
    parallel: int = LIMIT
    dry_run: bool = False


def transfer(
    console: Console, order: Order, endpoints: Mapping[str, Callable[[], Endpoint]]
) -> Iterator[tuple[str, Sent | MachineError]]:
    """Yield each engine's result, the unreachable first. Raises MachineError if the source lacks the image."""
    found = order.source.find(order.wanted)
    if found.by_id and not order.renamed:
        order = replace(order, reference=None)

    def look(name: str, _: Console) -> ImageTarget:
        endpoint = endpoints[name]()
        with Images(endpoint) as images:
            return ImageTarget(endpoint, images.known(), Unfinished(order.notes, endpoint.url))

    targets: dict[str, ImageTarget] = {}
    for name, result in run_at_once(SilentConsole(), endpoints, look, limit=order.parallel):
        if isinstance(result, MachineError):
            yield name, result
        else:
            targets[name] = result
    there = [name for name, target in targets.items() if has_image(target, found)]
    for name in there:
        target = targets.pop(name)
        if order.reference and not order.dry_run:
            tag_image(target.endpoint, found.image_id, order.reference)
        before = replaced_image(target.known, found.image_id, order.reference)
        yield name, Sent(0, found.size, 0, len(found.layers), present=True, replaced=before)
    if targets:
        yield from read_and_send(console, order, found, targets)


def has_image(target: ImageTarget, found: SourceImage) -> bool:
    """Return whether the engine has the image, as far as that is known before the read."""
    return found.by_containerd == target.known.by_containerd and found.image_id in target.known.images


def read_and_send(
    console: Console, order: Order, found: SourceImage, targets: Mapping[str, ImageTarget]
) -> Iterator[tuple[str, Sent | MachineError]]:
    with spool_directory() as directory:
        check_room(directory, found)
        spool = Spool()
        early = {name: early_layers(found, target) for name, target in targets.items()}
        read_in_background(order, spool, directory, unneeded_layers(found, early.values()))

        def send(name: str, console: Console) -> Sent:
            if order.dry_run:
                return estimate(targets[name], spool, order.reference)
            with console.step(f"Sending {order.wanted.name}"):
                return send_image(targets[name], spool, order.reference, early[name], Progress(console, found.size))

        yield from run_at_once(console, targets, send, limit=order.parallel)


class Progress:
    """Shows how much has been sent, and ends the work after ^C."""

    def __init__(self, console: Console, size: int) -> None:
        self._console = console
        self._of = f" of {human_size(size)}" if size else ""
        self._shown = ""

    def __call__(self, sent: int) -> None:
        # A pause of no seconds raises KeyboardInterrupt after ^C.
        self._console.pause(0)
        text = f"{human_size(sent)}{self._of}"
        if self._console.progress and text != self._shown:
            self._shown = text
            self._console.progress(text)


def early_layers(found: SourceImage, target: ImageTarget) -> Early:
    if found.by_containerd or target.known.by_containerd or not found.layers:
        return NOTHING_EARLY
    chains = zip(found.layers, chain_ids(found.layers), strict=True)
    return Early(found.image_id, frozenset(layer for layer, chain in chains if chain not in target.known.chain_ids))


def unneeded_layers(found: SourceImage, early: Collection[Early]) -> frozenset[str]:
    """Return the layers that all engines have; none if that is not certain."""
    if NOTHING_EARLY in early:
        return frozenset()
    return frozenset(found.layers).difference(*(each.layers for each in early))


def estimate(target: ImageTarget, spool: Spool, reference: Reference | None) -> Sent:
    image = spool.image()
    found = parcel(image, target.known)
    return Sent(
        found.size,
        image.size,
        len(found.layers),
        len(found.manifest.layers),
        present=found.image_id in target.known.images,
        replaced=replaced_image(target.known, found.image_id, reference),
    )


def check_room(directory: str, found: SourceImage) -> None:
    """Raise MachineError if the image does not fit on the disk."""
    free = shutil.disk_usage(directory).free
    if found.size + SPARE > free:
        place = os.path.dirname(directory)
        raise MachineError(
            f"The image takes {found.size >> 20} MB, and {place} has {free >> 20} MB free",
            f"Make room there (df -h {quote_path(place)}), or use another directory: export TMPDIR=<DIRECTORY>",
        )


def read_in_background(order: Order, spool: Spool, directory: str, skipped: frozenset[str]) -> None:
    reader = ArchiveReader(spool, directory, skipped)

    def read() -> None:
        try:
            order.source.read(reader, order.wanted)
        except OSError as exc:
            spool.fail(MachineError(f"Cannot read {exc.filename or 'the image'}: {exc.strerror or exc}"))
        except BaseException as exc:  # noqa: BLE001 (raised again by those who wait)
            spool.fail(exc)

    threading.Thread(target=read, name="source", daemon=True).start()
