"""Image archives as docker and other tools make them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

PLATFORM = {"architecture": "amd64", "os": "linux"}
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def tar_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def layer(name: str, content: bytes) -> bytes:
    """Return a layer that adds a file."""
    return tar_of({name: content})


@dataclass
class Made:
    """An image of uncompressed layers; `compressed` are the indexes of those whose blobs are gzip's."""

    layers: Sequence[bytes]
    compressed: Sequence[int] = ()
    platform: dict[str, str] = field(default_factory=lambda: dict(PLATFORM))
    blobs: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        config = self.add(
            json.dumps(
                {
                    **self.platform,
                    "config": {"Cmd": ["/true"]},
                    "rootfs": {"type": "layers", "diff_ids": [digest(each) for each in self.layers]},
                    "history": [{"created_by": "test"} for _ in self.layers],
                }
            ).encode(),
            "application/vnd.oci.image.config.v1+json",
        )
        layers = [
            self.add(gzip.compress(each, mtime=0), "application/vnd.oci.image.layer.v1.tar+gzip")
            if at in self.compressed
            else self.add(each, "application/vnd.oci.image.layer.v1.tar")
            for at, each in enumerate(self.layers)
        ]
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
        self.config = str(config["digest"])
        self.descriptor = self.add(json.dumps(manifest).encode(), MANIFEST)
        self.layer_digests = [str(each["digest"]) for each in layers]

    def add(self, data: bytes, kind: str) -> dict[str, Any]:
        self.blobs[digest(data)] = data
        return {"mediaType": kind, "digest": digest(data), "size": len(data)}

    @property
    def manifest_digest(self) -> str:
        return str(self.descriptor["digest"])

    def listed(self, *names: str) -> dict[str, Any]:
        """Return the image's entry of manifest.json."""
        return {
            "Config": path_of(self.config),
            "RepoTags": list(names) or None,
            "Layers": [path_of(each) for each in self.layer_digests],
        }


def path_of(found: str) -> str:
    return "blobs/" + found.replace(":", "/")


def saved(images: dict[str, Made]) -> bytes:
    """Return an archive as `docker save` of Docker 25 and later makes it."""
    files: dict[str, bytes] = {}
    for image in images.values():
        files |= {path_of(each): data for each, data in image.blobs.items()}
    index = [
        {**image.descriptor, "annotations": {"io.containerd.image.name": f"docker.io/library/{name}"}}
        for name, image in images.items()
    ]
    return tar_of(
        {
            **dict(sorted(files.items())),
            "index.json": json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": index}).encode(),
            "manifest.json": json.dumps([image.listed(name) for name, image in images.items()]).encode(),
            "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        }
    )


def saved_by_old_docker(name: str, image: Made, place: str = "/layer.tar") -> bytes:
    """Return an archive as `docker save` before Docker 25 makes it: a layer that comes twice is a link.

    podman puts the layers beside each other: their `place` is .tar.
    """
    files: dict[str, bytes] = {}
    links: dict[str, str] = {}
    paths = []
    for at, each in enumerate(image.layers):
        path = f"{at:064x}{place}"
        paths.append(path)
        first = next((other for other, data in files.items() if data == each), "")
        if first:
            links[path] = f"../{first}" if "/" in place else first
        else:
            files[path] = each
    config = f"{image.config.removeprefix('sha256:')}.json"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        listed = [{"Config": config, "RepoTags": [name], "Layers": paths}]
        for path, data in {
            **files,
            config: image.blobs[image.config],
            "manifest.json": json.dumps(listed).encode(),
        }.items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for path, target in links.items():
            info = tarfile.TarInfo(path)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return buffer.getvalue()


def layout(images: dict[str, Made], index: Sequence[dict[str, Any]] = ()) -> bytes:
    """Return the archive of an OCI image layout, by default with the images as its index."""
    listed = index or [
        {**image.descriptor, "annotations": {"org.opencontainers.image.ref.name": name}}
        for name, image in images.items()
    ]
    return tar_of(
        {
            **{path_of(each): data for image in images.values() for each, data in image.blobs.items()},
            "index.json": json.dumps({"schemaVersion": 2, "manifests": listed}).encode(),
            "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        }
    )
