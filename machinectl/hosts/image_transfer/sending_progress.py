"""Show on the board how much of an image has gone to one engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.go.units import human_size
from machinectl.images.write_archive import parcel
from machinectl.quantities import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from machinectl.hosts.image_transfer.image_sources import SourceImage
    from machinectl.images.send import Early, ImageTarget
    from machinectl.images.spool import Spool


@dataclass(frozen=True)
class Missing:
    """The bytes and the layers (by digest) that an engine lacks; 0 and none while that is not known."""

    size: int
    layers: Collection[str]


def missing_parts(found: SourceImage, early: Early, target: ImageTarget, spool: Spool) -> Missing:
    if spool.is_read:
        missing = parcel(spool.image(), target.known)
        return Missing(missing.size, missing.layers)
    lacks_all = all(layer in early.blobs for layer in found.layers)
    return Missing(found.archive_size if lacks_all else 0, frozenset(early.blobs))


class SendingProgress:
    """Shows bytes and layers. `missing` is asked until it knows both."""

    def __init__(self, show: Callable[[str], None], missing: Callable[[], Missing]) -> None:
        self._show = show
        self._ask = missing
        self._missing = Missing(0, ())
        self._shown = ""

    def __call__(self, sent: int, blobs: Collection[str]) -> None:
        """`sent` bytes have gone, and these `blobs` as a whole."""
        if not (self._missing.size and self._missing.layers):
            self._missing = self._ask()
        text = progress_text(sent, blobs, self._missing)
        if text != self._shown:
            self._shown = text
            self._show(text)


def progress_text(sent: int, blobs: Collection[str], missing: Missing) -> str:
    size, layers = missing.size, missing.layers
    # The archive has headers, and is sent again if the engine turns out to lack more.
    text = f"{human_size(min(sent, size))} of {human_size(size)}" if size else human_size(sent)
    if layers:
        text += f", {sum(1 for layer in layers if layer in blobs)} of {plural(len(layers), 'layer')}"
    return text
