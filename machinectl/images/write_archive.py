"""Write an archive for `docker load` that leaves out the layers which its engine has."""

from __future__ import annotations

import json
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from machinectl.errors import Hint, MachineError
from machinectl.images.image import check_platform

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Iterator, Mapping

    from machinectl.images.image import Image, Manifest
    from machinectl.images.spool import Blob, Spool

# A tar file ends with two empty blocks.
BLOCK = 512
END = bytes(2 * BLOCK)
# Unpacked layers take more or less room on another file system.
ALIKE = 0.95


class Stored(NamedTuple):
    """What containerd's store has of an image: bytes, unpacked files included, and manifests by digest.

    `manifests` are those whose blobs are all there, None from an engine that does not tell (API before 1.47).
    """

    size: int = 0
    manifests: frozenset[str] | None = None

    def has(self, manifests: Collection[str]) -> bool:
        return self.manifests is not None and self.manifests.issuperset(manifests)

    def has_all_of(self, other: Stored) -> bool:
        """Return whether it has the platforms of the same image in another store. Each one makes it larger."""
        if self.manifests is not None and other.manifests is not None:
            return self.has(other.manifests)
        return self.size >= other.size * ALIKE


UNTOLD = Stored()


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
    # IDs by name.
    names: Mapping[str, str] = field(default_factory=dict)
    # IDs by content (engine_images.content_of).
    contents: Mapping[str, str] = field(default_factory=dict)
    # Of containerd's store, by ID.
    stored: Mapping[str, Stored] = field(default_factory=dict)

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
    small: tuple[str, ...]
    layers: tuple[str, ...]
    size: int
    wanted: tuple[str, ...]
    present: bool


def parcel(image: Image, known: Known) -> Parcel:
    """Choose what an engine needs. Raises MachineError if the image has no platform of the engine's."""
    manifest = manifest_for(image, known.platform)
    if known.by_containerd:
        image_id, root, small, variants = str(image.root["digest"]), image.root, image.small, image.variants
        stored = known.stored.get(image_id, UNTOLD)
        # An engine shows that it lacks a layer of its own platform (`Images.is_whole`), not always of the others.
        checked = {layer.digest for layer in manifest.layers}
        layers = {
            layer.digest: layer.size
            for each in image.manifests
            if not stored.has([each.digest])
            for layer in each.layers
            if layer.diff_id not in known.diff_ids or layer.digest not in checked
        }
        if image.index in known.images and not layers:
            # Its name stays on the index: the engine may have more platforms than the source.
            image_id = image.index
        is_told = len(variants) == 1 or stored.has([each.digest for each in variants])
    else:
        # An ID may stand for several layers with the same content.
        layers = {
            layer.digest: layer.size
            for layer, chain_id in zip(manifest.layers, manifest.chain_ids, strict=True)
            if chain_id not in known.chain_ids
        }
        image_id, root, small = manifest.config, manifest.descriptor, (manifest.digest, manifest.config)
        variants, is_told = (manifest,), True
    return Parcel(
        image_id,
        root,
        manifest,
        tuple(dict.fromkeys(small)),
        tuple(layers),
        sum(layers.values()),
        tuple(layer.digest for each in variants for layer in each.layers),
        is_told and image_id in known.images,
    )


def manifest_for(image: Image, platform: str) -> Manifest:
    """Return the manifest of the engine's platform, or the only one."""
    return image.manifests[0] if len(image.platforms) <= 1 else check_platform(platform, image.manifests)


def archive(spool: Spool, known: Known, early: Container[str], sent: set[str]) -> Iterator[bytes]:
    """Yield a tar archive, and add the digests of its blobs to `sent`.

    Blobs in `early` (digests) come as soon as they are read.
    """
    for digest, blob in spool.blobs():
        if digest in early:
            yield from entry(path_of(digest), blob)
            sent.add(digest)
    found = parcel(spool.image(), known)
    for digest in (*found.layers, *found.small):
        if digest not in early:
            yield from entry(path_of(digest), blob_of(spool, digest))
            sent.add(digest)
    for name, document in documents(found):
        yield from file_entry(name, document)
    yield END


def documents(found: Parcel) -> Iterable[tuple[str, bytes]]:
    """Return the archive's own files, without names: an image gets its names when it is whole."""
    root = {key: value for key, value in found.root.items() if key != "annotations"}
    listed = {
        "Config": path_of(found.manifest.config),
        "RepoTags": None,
        "Layers": [path_of(layer.digest) for layer in found.manifest.layers],
    }
    return (
        ("oci-layout", as_json({"imageLayoutVersion": "1.0.0"})),
        ("index.json", as_json({"schemaVersion": 2, "manifests": [root]})),
        ("manifest.json", as_json([listed])),
    )


def as_json(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def path_of(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def blob_of(spool: Spool, digest: str) -> Blob:
    blob = spool.get(digest)
    if blob is None:
        raise MachineError(
            f"The layer {digest[:19]} is missing: it was left out, or removed from the target meanwhile",
            Hint("Run the same command again"),
        )
    return blob


def entry(name: str, blob: Blob) -> Iterator[bytes]:
    yield header(name, blob.size)
    yield from blob.pieces()
    yield padding(blob.size)


def file_entry(name: str, data: bytes) -> Iterator[bytes]:
    yield header(name, len(data)) + data + padding(len(data))


def header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    # Sizes above 8 GB need GNU's form, which Go reads.
    return info.tobuf(tarfile.GNU_FORMAT)


def padding(size: int) -> bytes:
    return bytes(-size % BLOCK)
