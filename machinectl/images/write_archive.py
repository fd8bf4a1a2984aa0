"""Write an archive for `docker load` that leaves out the layers which its engine has."""

from __future__ import annotations

import json
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from machinectl.engine.image_names import UNKNOWN
from machinectl.errors import Hint, MachineError
from machinectl.images.image import choose_variant

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from machinectl.images.image import Image, Manifest
    from machinectl.images.read_archive import Spool

# A tar file ends with two empty blocks.
BLOCK = 512
END = bytes(2 * BLOCK)


@dataclass(frozen=True)
class Known:
    """The layers of an engine: chain IDs of layers in the classic store, diff IDs of layers in containerd's.

    containerd has a layer under the digest of its blob, which may be compressed otherwise: check after the load.
    """

    by_containerd: bool
    platform: str
    chain_ids: frozenset[str] = frozenset()
    diff_ids: frozenset[str] = frozenset()
    images: frozenset[str] = frozenset()
    # IDs by name, and by content (engine_images.content_of).
    names: Mapping[str, str] = field(default_factory=dict)
    contents: Mapping[str, str] = field(default_factory=dict)
    # Of containerd's store, by ID: the manifests whose blobs are all there, None from an engine that does not tell.
    stored: Mapping[str, frozenset[str] | None] = field(default_factory=dict)

    def has(self, image_id: str, manifests: Collection[str]) -> bool:
        """Return whether containerd's store has these manifests of an image, as far as it tells."""
        return (self.stored.get(image_id) or frozenset()).issuperset(manifests)

    def everything_missing(self) -> Known:
        return Known(self.by_containerd, self.platform)


@dataclass(frozen=True)
class Parcel:
    """What to load into one engine: `image_id` is its ID there, `wanted` are all layers that it gets or has.

    `present`: it has the whole image, as far as it tells.
    """

    image_id: str
    root: dict[str, Any]
    manifest: Manifest
    documents: tuple[str, ...]
    layers: Mapping[str, int]
    wanted: tuple[str, ...]
    present: bool

    @property
    def size(self) -> int:
        return sum(self.layers.values())


def parcel(image: Image, known: Known) -> Parcel:
    """Choose what an engine needs. Raises MachineError if the image has no platform of the engine's."""
    several = sum(each.platform != UNKNOWN for each in image.manifests) > 1
    manifest = choose_variant(known.platform if several else "", image.manifests)
    return (containerds_parcel if known.by_containerd else classic_parcel)(image, known, manifest)


def classic_parcel(_: Image, known: Known, manifest: Manifest) -> Parcel:
    # An ID may stand for several layers with the same content.
    layers = {
        layer.digest: layer.size
        for layer, chain_id in zip(manifest.layers, manifest.chain_ids, strict=True)
        if chain_id not in known.chain_ids
    }
    documents = (manifest.digest, manifest.config)
    wanted = tuple(layer.digest for layer in manifest.layers)
    present = manifest.config in known.images
    return Parcel(manifest.config, manifest.descriptor, manifest, documents, layers, wanted, present)


def containerds_parcel(image: Image, known: Known, manifest: Manifest) -> Parcel:
    image_id = str(image.root["digest"])
    # An engine shows that it lacks a layer of its own platform (`Images.is_whole`), not always of the others.
    checked = {layer.digest for layer in manifest.layers}
    layers = {
        layer.digest: layer.size
        for each in image.manifests
        if not known.has(image_id, [each.digest])
        for layer in each.layers
        if layer.diff_id not in known.diff_ids or layer.digest not in checked
    }
    if image.index in known.images and not layers:
        # Its name stays on the index: the engine may have more platforms than the source.
        image_id = image.index
    wanted = tuple(layer.digest for each in image.variants for layer in each.layers)
    is_told = len(image.variants) == 1 or known.has(image_id, [each.digest for each in image.variants])
    present = is_told and image_id in known.images
    return Parcel(image_id, image.root, manifest, image.documents, layers, wanted, present)


def archive(spool: Spool, contents: Parcel) -> Iterator[bytes]:
    for digest in (*contents.layers, *contents.documents):
        blob = spool.blobs.get(digest)
        if blob is None:
            raise MachineError(
                f"The layer {digest[:19]} is missing: it was left out, or removed from the target meanwhile",
                Hint("Run the same command again"),
            )
        yield header(path_of(digest), blob.size)
        yield from blob.pieces()
        yield bytes(-blob.size % BLOCK)
    # The archive's own files have no names: an image gets its names when it is whole.
    listed = {
        "Config": path_of(contents.manifest.config),
        "RepoTags": None,
        "Layers": [path_of(layer.digest) for layer in contents.manifest.layers],
    }
    root = {key: value for key, value in contents.root.items() if key != "annotations"}
    own_files: dict[str, Any] = {
        "oci-layout": {"imageLayoutVersion": "1.0.0"},
        "index.json": {"schemaVersion": 2, "manifests": [root]},
        "manifest.json": [listed],
    }
    for name, document in own_files.items():
        data = json.dumps(document, separators=(",", ":")).encode()
        yield header(name, len(data)) + data + bytes(-len(data) % BLOCK)
    yield END


def path_of(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    # Sizes above 8 GB need GNU's form, which Go reads.
    return info.tobuf(tarfile.GNU_FORMAT)
