"""Send one image to many engines. The source is read once."""

from __future__ import annotations

import os
import shutil
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from machinectl.console import SilentConsole
from machinectl.errors import Hint, MachineError
from machinectl.files.atomic import quote_word
from machinectl.files.spool_directory import spool_directory
from machinectl.hosts.workers import LIMIT, run_at_once
from machinectl.images.engine_images import Images
from machinectl.images.image import chain_ids
from machinectl.images.read_archive import SPARE, ArchiveReader, Wanted
from machinectl.images.send import (
    Early,
    Everything,
    ImageTarget,
    Sent,
    finish_image,
    is_new_name,
    replaced_image,
    send_image,
)
from machinectl.images.spool import SourceError, Spool
from machinectl.images.write_archive import UNTOLD, parcel
from machinectl.quantities import human_size

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterator, Mapping

    from machinectl.console import Console
    from machinectl.engine import Endpoint
    from machinectl.images.image_sources import Source, SourceImage
    from machinectl.images.reference import Reference


@dataclass(frozen=True)
class Order:
    """Send the image `wanted` from `source`, and give it the name `reference`, None for none.

    An image that was given by its ID gets a name only if that is `renamed`.
    """

    source: Source
    wanted: Wanted
    reference: Reference | None
    renamed: bool = False
    # The title of its step.
    step: str = "Sending"
    parallel: int = LIMIT
    dry_run: bool = False


def transfer(
    console: Console, order: Order, endpoints: Mapping[str, Callable[[], Endpoint]]
) -> Generator[tuple[str, Sent | MachineError], None, None]:
    """Yield each engine's result, the unreachable first. Raises MachineError if the source lacks the image."""
    found = order.source.find(order.wanted)
    if found.by_id and not order.renamed:
        order = replace(order, reference=None)

    likely = order.reference.repository if order.reference else ""

    def look(name: str, _: Console) -> ImageTarget:
        endpoint = endpoints[name]()
        with Images(endpoint) as images:
            return ImageTarget(endpoint, images.known(likely))

    targets: dict[str, ImageTarget] = {}
    for name, result in run_at_once(SilentConsole(), endpoints, look, limit=order.parallel, abandons=True):
        if isinstance(result, MachineError):
            yield name, result
        else:
            targets[name] = result
    if targets:
        yield from send_to_all(console, order, found, targets)


def send_to_all(
    console: Console, order: Order, found: SourceImage, targets: Mapping[str, ImageTarget]
) -> Iterator[tuple[str, Sent | MachineError]]:
    with spool_directory() as directory:
        spool = Spool()
        early = {name: early_blobs(found, each) for name, each in targets.items() if not present_image(each, found)}
        if early:
            skipped = unneeded_layers(found, early.values())
            # Sizes of layers are not known.
            size = 0 if skipped else found.archive_size
            read_in_background(order, found, size, spool, ArchiveReader(spool, directory, skipped))

        def send(name: str, console: Console) -> Sent:
            target = targets[name]
            if name not in early:
                return keep_image(target, found, order)
            if order.dry_run:
                return estimate(target, spool, order.reference)
            with console.step(f"{order.step} {order.wanted.name}"):
                progress = sending_progress(console.progress, spool, target)
                return send_image(target, spool, order.reference, early[name], progress)

        yield from run_at_once(console, targets, send, limit=order.parallel, abandons=True)


def sending_progress(
    show: Callable[[str], None] | None, spool: Spool, target: ImageTarget
) -> Callable[[int, Collection[str]], None]:
    """Show the bytes that have gone, of all once the archive has been read."""
    shown = ""

    def progress(sent: int, _: Collection[str]) -> None:
        nonlocal shown
        # The archive has headers, and is sent again if the engine turns out to lack more.
        size = parcel(spool.image(), target.known).size if spool.is_read else 0
        text = f"{human_size(min(sent, size))} of {human_size(size)}" if size else human_size(sent)
        if show and text != shown:
            shown = text
            show(text)

    return progress


def present_image(target: ImageTarget, found: SourceImage) -> str:
    """Return the ID on the engine, "" if it lacks the image, as far as that is known before the read."""
    known = target.known
    if found.by_containerd != known.by_containerd:
        return known.contents.get(found.content, "") if found.content else ""
    if known.by_containerd and not known.stored.get(found.image_id, UNTOLD).has_all_of(found.stored):
        # One may have more platforms of it than the other.
        return ""
    return found.image_id if found.image_id in known.images else ""


def keep_image(target: ImageTarget, found: SourceImage, order: Order) -> Sent:
    """Name the image that the engine has. Raises MachineError."""
    image_id = present_image(target, found)
    if not (order.dry_run or finish_image(target, image_id, order.reference)):
        raise MachineError("The image was removed from the engine meanwhile", Hint("Run the same command again"))
    return Sent(
        0,
        found.size,
        0,
        len(found.layers),
        present=True,
        replaced=replaced_image(target.known, image_id, order.reference),
        named=is_new_name(target.known, order.reference),
    )


def early_blobs(found: SourceImage, target: ImageTarget) -> Early:
    """Return what to send before the archive's end, which tells what is in it."""
    known = target.known
    if not found.layers:
        return Early()
    if found.by_containerd:
        # The digests of its blobs are not known. containerd's store takes all of them if it has none.
        wants_all = known.by_containerd and known.diff_ids.isdisjoint(found.layers)
        return Early("", Everything()) if wants_all else Early()
    if known.by_containerd:
        return Early("", frozenset(found.layers).difference(known.diff_ids))
    chains = zip(found.layers, chain_ids(found.layers), strict=True)
    return Early(found.image_id, frozenset(layer for layer, chain in chains if chain not in known.chain_ids))


def unneeded_layers(found: SourceImage, early: Collection[Early]) -> frozenset[str]:
    """Return the layers that all engines have; none if that is not certain."""
    if not all(each.image_id for each in early):
        return frozenset()
    return frozenset(found.layers).difference(*(each.blobs for each in early))


def estimate(target: ImageTarget, spool: Spool, reference: Reference | None) -> Sent:
    image = spool.image()
    found = parcel(image, target.known)
    return Sent(
        found.size,
        image.size,
        len(found.layers),
        len(found.wanted),
        present=found.present,
        replaced=replaced_image(target.known, found.image_id, reference),
        named=is_new_name(target.known, reference),
    )


def check_room(directory: str, size: int) -> None:
    """Raise MachineError if so many bytes (0: unknown) do not fit on the disk, with some room for others."""
    free = shutil.disk_usage(directory).free
    if size + SPARE > free:
        place = os.path.dirname(directory)
        taken = f"takes {human_size(size)} and " if size else ""
        raise MachineError(
            f"The image {taken}has to leave {human_size(SPARE)} free, and {place} has {human_size(free)} free",
            Hint(f"Make room there (df -h {quote_word(place)}), or use another directory", "export TMPDIR=<DIRECTORY>"),
        )


def read_in_background(order: Order, found: SourceImage, size: int, spool: Spool, reader: ArchiveReader) -> None:
    def read() -> None:
        try:
            check_room(reader.directory, size)
            order.source.read(reader, order.wanted, found)
        except OSError as exc:
            spool.fail(SourceError(f"Cannot read {exc.filename or 'the image'}: {exc.strerror or exc}"))
        except MachineError as exc:
            spool.fail(SourceError(exc.cause, exc.hint, mistyped=exc.mistyped))
        except BaseException as exc:  # noqa: BLE001 (raised again by those who wait)
            spool.fail(exc)

    threading.Thread(target=read, name="source", daemon=True).start()
