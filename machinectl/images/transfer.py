"""Send one image to many engines. The source is read once.

An image is loaded untagged, looked at whether it is whole, and tagged last.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from machinectl.console import SilentConsole
from machinectl.engine import EngineError
from machinectl.errors import Hint, MachineError
from machinectl.files.spool_directory import spool_directory
from machinectl.hosts.parallel import LIMIT, run_at_once
from machinectl.images.engine_images import AGAIN, PATIENCE, Images, LoadError, load_image, tag_image
from machinectl.images.image import chain_ids
from machinectl.images.read_archive import Spool, Wanted
from machinectl.images.write_archive import archive, parcel
from machinectl.quantities import human_size

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterator, Mapping

    from machinectl.console import Console
    from machinectl.engine import Endpoint
    from machinectl.images.image import Image, Reference
    from machinectl.images.image_sources import Source, SourceImage
    from machinectl.images.write_archive import Known, Parcel


class SourceError(MachineError):
    """The image cannot be read: no target is the reason."""


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


@dataclass(frozen=True)
class ImageTarget:
    endpoint: Endpoint
    known: Known


@dataclass(frozen=True)
class Sent:
    """Bytes: `sent` to the engine, and the image's `size`. `layers` were sent, `of_layers` are in the image."""

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


def transfer(
    console: Console, order: Order, endpoints: Mapping[str, Callable[[], Endpoint]]
) -> Generator[tuple[str, Sent | MachineError], None, None]:
    """Yield each engine's result, the unreachable first. Raises MachineError if the source lacks the image."""
    described = order.source.find(order.wanted)
    if described.by_id and not order.renamed:
        order = replace(order, reference=None)

    def look(name: str, _: Console) -> ImageTarget:
        endpoint = endpoints[name]()
        with Images(endpoint) as images:
            return ImageTarget(endpoint, images.known())

    targets: dict[str, ImageTarget] = {}
    for name, result in run_at_once(SilentConsole(), endpoints, look, limit=order.parallel, abandons=True):
        if isinstance(result, MachineError):
            yield name, result
        else:
            targets[name] = result
    if targets:
        yield from send_to_all(console, order, described, targets)


def send_to_all(
    console: Console, order: Order, described: SourceImage, targets: Mapping[str, ImageTarget]
) -> Iterator[tuple[str, Sent | MachineError]]:
    lacking = [name for name, target in targets.items() if not present_image(target.known, described)]
    with spool_directory() as directory:
        spool = Spool(directory, unneeded_layers(described, [targets[name].known for name in lacking]))
        image: Image | None = None
        if lacking:
            try:
                with console.step(f"Reading {order.wanted.name}"):
                    image = order.source.read(spool, order.wanted, described)
            except MachineError as exc:
                failure = SourceError(exc.cause, exc.hint, mistyped=exc.mistyped)
                yield from ((name, failure) for name in lacking)
                targets = {name: target for name, target in targets.items() if name not in lacking}

        def send(name: str, console: Console) -> Sent:
            target = targets[name]
            if image is None or name not in lacking:
                return keep_image(target, described, order)
            if order.dry_run:
                contents = parcel(image, target.known)
                sent = sent_parcel(contents, image, contents.size, contents.layers)
                return outcome(order, target.known, contents.image_id, sent)
            with console.step(f"{order.step} {order.wanted.name}"):
                return send_image(target, spool, image, order, console.progress)

        yield from run_at_once(console, targets, send, limit=order.parallel, abandons=True)


def present_image(known: Known, described: SourceImage) -> str:
    """Return the ID on the engine, "" if it lacks the image, as far as that is known before the read."""
    image_id = described.image_id
    if described.by_containerd != known.by_containerd:
        return known.contents.get(described.content, "") if described.content else ""
    if known.by_containerd and not (described.stored and known.has(image_id, described.stored)):
        # One may have more platforms of it than the other.
        return ""
    return image_id if image_id in known.images else ""


def unneeded_layers(described: SourceImage, engines: Collection[Known]) -> frozenset[str]:
    """Return the layers that all engines have; none if that is not certain."""
    if described.by_containerd or any(known.by_containerd for known in engines):
        return frozenset()
    chains = list(zip(described.layers, chain_ids(described.layers), strict=True))
    return frozenset(described.layers).difference(
        layer for known in engines for layer, chain in chains if chain not in known.chain_ids
    )


def sent_parcel(contents: Parcel, image: Image, sent: int, layers: Collection[str]) -> Sent:
    count = len(set(layers).intersection(contents.wanted))
    return Sent(sent, image.size, count, len(contents.wanted), present=contents.present)


def outcome(order: Order, known: Known, image_id: str, result: Sent) -> Sent:
    """Add which image had the name before."""
    name = order.reference.name if order.reference else ""
    before = known.names.get(name, "")
    return replace(result, replaced=before if before != image_id else "", named=bool(name) and not before)


def keep_image(target: ImageTarget, described: SourceImage, order: Order) -> Sent:
    """Name the image that the engine has. Raises MachineError."""
    image_id = present_image(target.known, described)
    if not (order.dry_run or tag_image(target.endpoint, image_id, order.reference)):
        raise MachineError("The image was removed from the engine meanwhile", Hint("Run the same command again"))
    return outcome(order, target.known, image_id, Sent(0, described.size, 0, len(described.layers), present=True))


def send_image(
    target: ImageTarget, spool: Spool, image: Image, order: Order, show: Callable[[str], None] | None
) -> Sent:
    """Send what the engine lacks, and name the image when it is whole. Raises MachineError.

    An engine may lack a layer that it seemed to have: a base was removed, or containerd has it compressed otherwise.
    Then send the layers that were left out, and if that is not enough, all layers. A failure may leave an unnamed
    image. Only `docker image prune` removes it: it can be the user's own.
    """
    counter = Counter(show)
    contents = parcel(image, target.known)
    layers: set[str] = set()
    if contents.present and tag_image(target.endpoint, contents.image_id, order.reference):
        return outcome(order, target.known, contents.image_id, sent_parcel(contents, image, 0, ()))
    failure: MachineError = EngineError(
        f"The engine at {target.endpoint.peer} accepted the image, but lacks a part of it, or has removed it", AGAIN
    )
    for known in attempts(target.known, contents):
        sending = parcel(image, known)
        layers.update(sending.layers)
        try:
            load_image(target.endpoint, counter.counted(archive(spool, sending), sending.size))
        except LoadError as exc:
            failure = exc
        # It may be whole in spite of an error: another push loads the same image at this moment. A whole one may be
        # gone before it has its name: `docker image prune` removes it.
        if is_whole(target, sending.image_id, image) and tag_image(target.endpoint, sending.image_id, order.reference):
            sent = sent_parcel(contents, image, counter.total, layers)
            return outcome(order, target.known, contents.image_id, sent)
    raise failure


def attempts(known: Known, contents: Parcel) -> Iterator[Known]:
    """Yield what to take for known."""
    yield known
    if known.by_containerd and known.diff_ids:
        sent = {layer.diff_id for layer in contents.manifest.layers} - known.diff_ids
        yield replace(known.everything_missing(), diff_ids=frozenset(sent))
    if known.chain_ids or known.diff_ids:
        yield known.everything_missing()


class Counter:
    """`show` takes the bytes that have gone, of all."""

    def __init__(self, show: Callable[[str], None] | None) -> None:
        self._show = show
        self.total = 0

    def counted(self, pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
        for piece in pieces:
            yield piece
            self.total += len(piece)
            if self._show:
                # The archive has headers, and is sent again if the engine turns out to lack more.
                self._show(f"{human_size(min(self.total, size))} of {human_size(size)}")


def is_whole(target: ImageTarget, image_id: str, image: Image) -> bool:
    with Images(target.endpoint, PATIENCE) as images:
        if target.known.by_containerd:
            return images.is_whole(image_id, [each.digest for each in image.variants])
        return images.image(image_id) is not None
