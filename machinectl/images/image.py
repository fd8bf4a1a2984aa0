"""An image as its manifests describe it (OCI image specification 1.1; docker's manifest.json), and names of images."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from machinectl.engine.image_names import ARCHITECTURES, FAMILIAR, PLATFORM, REFERENCE, UNKNOWN
from machinectl.errors import Hint, MachineError, UsageError, one_line
from machinectl.json_values import as_dict, as_list, as_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    # Returns a small blob's content by its digest, None if the archive lacks it.
    ReadBlob = Callable[[str], bytes | None]

INDEXES = {
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
}
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
SAVE = "docker save -o <FILE> <IMAGE>"
Document = dict[str, Any]
# Bytes of a layer: Go's int64.
LARGEST = 2**63 - 1
# Manifests of an index. Those of docker have a few platforms.
MOST_MANIFESTS = 1000
IMAGE_ID = re.compile(r"(?:sha256:)?[0-9a-f]{1,64}")
# Characters of a name (distribution/reference: NameTotalLengthMax), and of a tag and a digest.
LONGEST_NAME = 512
SYSTEMS = {"linux", "windows", "darwin", "freebsd"}


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
        return chain_ids(layer.diff_id for layer in self.layers)


@dataclass(frozen=True)
class Image:
    """`root` describes the index or manifest.

    `index` is the digest of the index that lists the only manifest, if the archive lacks other platforms of it.
    """

    root: Document
    manifests: tuple[Manifest, ...]
    index: str = ""

    @property
    def documents(self) -> tuple[str, ...]:
        """Return the digests of the small blobs, which are always sent."""
        small = (digest for each in self.manifests for digest in (each.digest, each.config))
        return tuple(dict.fromkeys([str(self.root["digest"]), *small]))

    @property
    def variants(self) -> tuple[Manifest, ...]:
        """Return the manifests of platforms, all if there is none."""
        return tuple(each for each in self.manifests if each.platform != UNKNOWN) or self.manifests

    @property
    def size(self) -> int:
        return sum({layer.digest: layer.size for each in self.manifests for layer in each.layers}.values())


def chain_ids(diff_ids: Iterable[str]) -> Iterator[str]:
    """Yield the ID of each layer on top of those below it (OCI image config: Layer ChainID)."""
    chain = ""
    for diff_id in diff_ids:
        chain = "sha256:" + hashlib.sha256(f"{chain} {diff_id}".encode()).hexdigest() if chain else diff_id
        yield chain


def read_image(root: Document, blob: ReadBlob, platform: str = "") -> Image:
    """Build the image below a descriptor.

    With a platform, or if a platform's blobs are missing, the image is one manifest. Raises ArchiveError.
    """
    if root.get("mediaType") not in INDEXES:
        manifest = read_manifest(root, blob)
        choose_variant(platform, [manifest])
        return Image(root, (manifest,))
    listed = members(document(root, blob), "manifests")
    present = []
    for descriptor in listed:
        with suppress(MissingDocument):
            present.append(read_manifest(descriptor, blob))
    chosen = choose_variant(platform, present)
    if platform or len(present) < len(listed):
        return Image(chosen.descriptor, (chosen,), "" if platform else digest_of(root))
    return Image(root, tuple(present))


def read_manifest(descriptor: Document, blob: ReadBlob) -> Manifest:
    manifest = document(descriptor, blob)
    config = document(manifest.get("config"), blob)
    layers = members(manifest, "layers")
    diff_ids = as_list(as_dict(config.get("rootfs")).get("diff_ids"))
    if len(diff_ids) != len(layers):
        # Such as a signature or another artefact.
        diff_ids = [digest_of(layer) for layer in layers]
    return Manifest(
        descriptor,
        digest_of(manifest.get("config")),
        platform_of(descriptor.get("platform") or config),
        tuple(
            ImageLayer(digest_of(layer), size_of(layer), digest_text(diff_id))
            for layer, diff_id in zip(layers, diff_ids, strict=True)
        ),
    )


def choose_variant(platform: str, manifests: Sequence[Manifest]) -> Manifest:
    """Return the manifest of a platform, or the first. Raises MachineError if there is none."""
    known = [manifest for manifest in manifests if manifest.platform != UNKNOWN] or list(manifests)
    for manifest in known:
        # The variant may be left out.
        if not platform or f"{manifest.platform}/".startswith(f"{platform}/"):
            return manifest
    names = ", ".join(manifest.platform for manifest in known) or "none"
    raise MachineError(
        f"The image has no variant for {platform} (it has: {names})", Hint("Choose one that it has with --platform")
    )


def platform_of(described: Any) -> str:
    parts = [as_dict(described).get(key) for key in ("os", "architecture", "variant")]
    return "/".join(one_line(part) for part in parts if isinstance(part, str) and part)


def document(descriptor: Any, blob: ReadBlob) -> Document:
    digest = digest_of(descriptor)
    data = blob(digest)
    if data is None:
        raise MissingDocument(f"The archive is incomplete: {digest} is missing", Hint("Save the image again", SAVE))
    return parse_json(data, digest)


def parse_json(data: bytes, what: str) -> Document:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise ArchiveError(f"The archive is damaged: {what} is not JSON") from exc
    if not isinstance(value, dict):
        raise ArchiveError(f"The archive is damaged: {what} is not an image's")
    return value


def members(document: Document, key: str) -> list[Document]:
    listed = as_list(document.get(key))
    if len(listed) > MOST_MANIFESTS:
        raise ArchiveError(f"The archive lists more than {MOST_MANIFESTS:,} {key}")
    return [each for each in listed if isinstance(each, dict)]


def digest_of(descriptor: Any) -> str:
    return digest_text(as_dict(descriptor).get("digest"))


def digest_text(value: Any) -> str:
    if not DIGEST.fullmatch(as_text(value)):
        raise ArchiveError(f"The archive is damaged: {str(value)[:80]!r} is not a SHA-256 digest")
    return str(value)


def size_of(descriptor: Document) -> int:
    size = descriptor.get("size")
    if type(size) is not int or not 0 <= size <= LARGEST:
        raise ArchiveError("The archive is damaged: a layer has no size")
    return size


class Reference(NamedTuple):
    """`tag` is "" if only a digest was given."""

    repository: str
    tag: str
    digest: str = ""

    @property
    def name(self) -> str:
        return f"{self.repository}:{self.tag}" if self.tag else ""


def parse_reference(text: str) -> Reference:
    """Return docker's short form of a reference, by default with the tag `latest`. Raises UsageError."""
    found = REFERENCE.fullmatch(text) if len(text) <= LONGEST_NAME else None
    if not found:
        raise UsageError(
            f"{one_line(repr(text))} is not an image name", Hint("Write it as docker does, such as web:1.2")
        )
    tag = (found["tag"] or "").removeprefix(":") or ("" if found["digest"] else "latest")
    return Reference(FAMILIAR.sub("", found["name"]), tag, found["digest"] or "")


def is_image_id(text: str) -> bool:
    """Return whether a text can be an image's ID or the start of one, which can be a name as well."""
    return bool(IMAGE_ID.fullmatch(text))


def parse_platform(text: str) -> str:
    """Return OS/ARCHITECTURE[/VARIANT]; the system is linux if only an architecture is given. Raises UsageError."""
    name = text.lower()
    if not PLATFORM.fullmatch(name) or name in SYSTEMS:
        raise UsageError(
            f"{one_line(repr(text))} is not a platform", Hint("Write it as docker does, such as linux/arm64")
        )
    system, architecture, *variant = name.split("/") if "/" in name else ("linux", name)
    found = "/".join([system, ARCHITECTURES.get(architecture, architecture), *variant])
    # Every arm64 is v8.
    return found.removesuffix("/v8") if found.endswith("/arm64/v8") else found
