"""An image as its manifests describe it (OCI image specification 1.1; docker's manifest.json)."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from machinectl.errors import Hint, MachineError, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
INDEXES = {INDEX, "application/vnd.docker.distribution.manifest.list.v2+json"}
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# Annotations that name an image in an archive (containerd, core/images/annotations.go; OCI).
NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
# buildx describes a build in manifests of this platform.
UNKNOWN = "unknown/unknown"

SAVE = "docker save -o <FILE> <IMAGE>"
Document = dict[str, Any]
# Bytes of a layer: Go's int64.
LARGEST = 2**63 - 1
# Manifests of an index. Those of docker have a few platforms.
MOST_MANIFESTS = 1000


class ArchiveError(MachineError):
    """An archive is damaged, or is not an image."""


class MissingDocument(ArchiveError):
    """An archive lacks a manifest or a configuration."""


@dataclass(frozen=True)
class ImageLayer:
    """`digest` and `size` (bytes) are of the blob; `diff_id` is the digest of its uncompressed tar."""

    digest: str
    size: int
    diff_id: str


@dataclass(frozen=True)
class Manifest:
    descriptor: Document
    config: str
    platform: str
    layers: tuple[ImageLayer, ...]

    @property
    def digest(self) -> str:
        return str(self.descriptor["digest"])

    @property
    def chain_ids(self) -> Iterator[str]:
        return chain_ids([layer.diff_id for layer in self.layers])


@dataclass(frozen=True)
class Image:
    """`root` describes the index or manifest; `small` are the digests of blobs that are always sent.

    `index` is the digest of the index that lists the only manifest, if the archive lacks other platforms of it.
    """

    root: Document
    manifests: tuple[Manifest, ...]
    small: tuple[str, ...]
    index: str = ""

    @property
    def variants(self) -> tuple[Manifest, ...]:
        """Return the manifests of platforms, all if there is none."""
        return tuple(each for each in self.manifests if each.platform != UNKNOWN) or self.manifests

    @property
    def platforms(self) -> list[str]:
        return [each.platform for each in self.manifests if each.platform != UNKNOWN]

    @property
    def size(self) -> int:
        return sum({layer.digest: layer.size for each in self.manifests for layer in each.layers}.values())


def chain_ids(diff_ids: Iterable[str]) -> Iterator[str]:
    """Yield the ID of each layer on top of those below it (OCI image config: Layer ChainID)."""
    chain = ""
    for diff_id in diff_ids:
        chain = "sha256:" + hashlib.sha256(f"{chain} {diff_id}".encode()).hexdigest() if chain else diff_id
        yield chain


def read_image(root: Document, blob: Callable[[str], bytes | None], platform: str = "") -> Image:
    """Build the image below a descriptor. `blob` returns a small blob, or None if the archive lacks it.

    With a platform, or if a platform's blobs are missing, the image is one manifest. Raises ArchiveError.
    """
    if root.get("mediaType") not in INDEXES:
        manifest = read_manifest(root, blob)
        check_platform(platform, [manifest])
        return Image(root, (manifest,), (digest_of(root), manifest.config))
    listed = members(document(root, blob), "manifests")
    there = [found for each in listed if (found := try_manifest(each, blob))]
    wanted = check_platform(platform, there)
    if platform or len(there) < len(listed):
        index = "" if platform else digest_of(root)
        return Image(wanted.descriptor, (wanted,), (wanted.digest, wanted.config), index)
    small = [digest_of(root), *(digest for each in there for digest in (each.digest, each.config))]
    return Image(root, tuple(there), tuple(small))


def try_manifest(descriptor: Document, blob: Callable[[str], bytes | None]) -> Manifest | None:
    """Return None if the archive lacks it, or its configuration."""
    with suppress(MissingDocument):
        return read_manifest(descriptor, blob)
    return None


def read_manifest(descriptor: Document, blob: Callable[[str], bytes | None]) -> Manifest:
    found = document(descriptor, blob)
    config = found.get("config")
    described = document(config, blob)
    layers = members(found, "layers")
    root_fs = described.get("rootfs")
    diff_ids = root_fs.get("diff_ids") if isinstance(root_fs, dict) else None
    if not isinstance(diff_ids, list) or len(diff_ids) != len(layers):
        # Such as a signature or another artefact.
        diff_ids = [digest_of(layer) for layer in layers]
    return Manifest(
        descriptor,
        digest_of(config),
        platform_of(descriptor.get("platform") or described),
        tuple(
            ImageLayer(digest_of(layer), size_of(layer), digest_text(diff_id))
            for layer, diff_id in zip(layers, diff_ids, strict=True)
        ),
    )


def check_platform(platform: str, manifests: Sequence[Manifest]) -> Manifest:
    """Return the manifest of a platform, or the first. Raises MachineError if there is none."""
    known = [each for each in manifests if each.platform != UNKNOWN] or list(manifests)
    found = next((each for each in known if not platform or is_platform(each.platform, platform)), None)
    if found is None:
        raise no_variant(platform, [each.platform for each in known])
    return found


def no_variant(platform: str, known: Sequence[str]) -> MachineError:
    there = ", ".join(known) or "none"
    return MachineError(
        f"The image has no variant for {platform} (it has: {there})",
        Hint(f"Choose one: --platform {there}") if len(known) == 1 else Hint("Choose one of these with --platform"),
    )


def is_platform(platform: str, wanted: str) -> bool:
    """Return whether os/architecture[/variant] is what is wanted, which may leave out the variant."""
    return platform == wanted or platform.startswith(f"{wanted}/")


def platform_of(found: Any) -> str:
    parts = [found.get(key) for key in ("os", "architecture", "variant")] if isinstance(found, dict) else []
    return "/".join(one_line(part) for part in parts if isinstance(part, str) and part)


def manifest_of_docker(config: Document, layers: Sequence[tuple[str, int]]) -> bytes:
    """Return a manifest for an archive of an old engine, which has none (layers uncompressed)."""
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config,
            "layers": [{"mediaType": LAYER, "digest": digest, "size": size} for digest, size in layers],
        },
        separators=(",", ":"),
    ).encode()


def document(descriptor: Any, blob: Callable[[str], bytes | None]) -> Document:
    digest = digest_of(descriptor)
    data = blob(digest)
    if data is None:
        raise MissingDocument(f"The archive is incomplete: {digest} is missing", Hint("Save the image again", SAVE))
    return parse_json(data, digest)


def parse_json(data: bytes, what: str) -> Document:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise ArchiveError(f"The archive is damaged: {what} is not JSON") from exc
    if not isinstance(found, dict):
        raise ArchiveError(f"The archive is damaged: {what} is not an image's")
    return found


def members(found: Mapping[str, Any], key: str) -> list[Document]:
    value = found.get(key)
    if isinstance(value, list) and len(value) > MOST_MANIFESTS:
        raise ArchiveError(f"The archive lists more than {MOST_MANIFESTS:,} {key}")
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def digest_of(descriptor: Any) -> str:
    return digest_text(descriptor.get("digest") if isinstance(descriptor, dict) else None)


def digest_text(found: Any) -> str:
    if not isinstance(found, str) or not DIGEST.fullmatch(found):
        raise ArchiveError(f"The archive is damaged: {str(found)[:80]!r} is not a SHA-256 digest")
    return found


def size_of(descriptor: Document) -> int:
    size = descriptor.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= LARGEST:
        raise ArchiveError("The archive is damaged: a layer has no size")
    return size


def names_of(descriptor: Document) -> Iterator[str]:
    annotations = descriptor.get("annotations")
    for key in NAMES:
        name = annotations.get(key) if isinstance(annotations, dict) else None
        if isinstance(name, str):
            yield name
