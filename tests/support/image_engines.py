"""Real engines for tests, of both image stores."""

from __future__ import annotations

import io
import itertools
import json
import os
import shutil
import subprocess
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import pytest

from machinectl import certs
from machinectl.engine import Endpoint
from machinectl.engine.http import request
from machinectl.machines.record import Machine, Phase
from tests.support.archives import digest, layer
from tests.support.dockerd import running_with
from tests.support.real import need
from tests.support.registered import added
from tests.support.registry import PROGRAM, Registry, running_registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from machinectl.machines.store import Store
    from tests.support.archives import Made
    from tests.support.dockerd import Dockerd

# daemon.json.
CONTAINERD_STORE = b'{"features": {"containerd-snapshotter": true}}'
OK = 200
numbers = itertools.count()


def import_busybox(engine: Dockerd, name: str) -> str:
    """Make an image of this computer's busybox, with its libraries; return its name."""
    need("busybox", "docker")
    busybox = str(shutil.which("busybox"))
    linked = subprocess.run(["ldd", busybox], capture_output=True, text=True, check=False).stdout.split()
    files = [busybox, *(word for word in linked if word.startswith("/"))]
    archive = subprocess.run(["tar", "-ch", *files], capture_output=True, check=True).stdout
    entry = f'ENTRYPOINT ["{busybox}"]'
    command = ["docker", "-H", f"unix://{engine.socket}", "import", "-c", entry, "-", name]
    subprocess.run(command, input=archive, capture_output=True, check=True, timeout=60)
    return name


@dataclass(frozen=True)
class Engine:
    endpoint: Endpoint

    def docker(self, *arguments: str) -> bytes:
        command = ["docker", "-H", self.endpoint.url, *arguments]
        return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout

    def remove(self, image: str) -> None:
        """Remove an image as `docker rmi -f` does, without the start of a program."""
        with request(self.endpoint, "DELETE", f"/images/{quote(image)}?force=1") as answer:
            assert answer.status == OK, answer.read(1000)

    def load(self, archive: bytes) -> None:
        from machinectl.images.engine_images import load_image

        load_image(self.endpoint, [archive])

    def pull(self, registry: Registry, name: str, image: Made) -> None:
        """Get an image from a registry, and give it its name without the registry."""
        from machinectl.images.engine_images import tag_image
        from machinectl.images.image import parse_reference

        place, _, tag = registry.upload(name, image).rpartition(":")
        query = urlencode({"fromImage": place, "tag": tag})
        with request(self.endpoint, "POST", f"/images/create?{query}", timeout=60) as answer:
            said = answer.read(1 << 20)
            assert answer.status == OK, said
        assert tag_image(self.endpoint, f"{place}:{tag}", parse_reference(name)), said

    def images(self) -> dict[str, str]:
        """Return IDs by name."""
        from machinectl.images.engine_images import Images

        with Images(self.endpoint) as images:
            return {tag: each["Id"] for each in images.listed() for tag in each["RepoTags"] or [each["Id"]]}

    def layers(self, name: str) -> list[str]:
        """Return the diff IDs of an image's layers."""
        from machinectl.images.engine_images import Images, diff_ids_of

        with Images(self.endpoint) as images:
            image = images.image(name)
        assert image
        return diff_ids_of(image)

    def saved_blobs(self, name: str) -> set[str]:
        """Return the digests of what docker save gives, uncompressed layers as their diff IDs."""
        from machinectl.images.engine_images import saved_image

        with (
            saved_image(self.endpoint, name) as saved,
            tarfile.open(fileobj=io.BytesIO(saved.read(1 << 30))) as archive,
        ):
            files = {member.name: archive.extractfile(member) for member in archive if member.isfile()}
            contents = {name: file.read() for name, file in files.items() if file}
        found = {f"sha256:{name.rpartition('/')[2]}" for name in contents if name.startswith("blobs/sha256/")}
        for path, data in contents.items():
            if path.startswith("blobs/sha256/"):
                assert digest(data) == f"sha256:{path.rpartition('/')[2]}"
        [listed] = json.loads(contents["manifest.json"])
        assert {f"sha256:{each.rpartition('/')[2]}" for each in listed["Layers"]} <= found
        return found


@pytest.fixture(scope="session")
def dockerd() -> Iterator[Dockerd]:
    """An engine for the whole session (one a worker): tests leave it as they found it."""
    # Old enough to have signed what has expired since.
    ca = certs.new_ca("the engine's CA", now=datetime.now(UTC) - timedelta(days=2000))
    with running_with(ca, certs.issue_server(ca, ["orion.local"])) as engine:
        engine.client(engine.directory, certs.issue_client(ca, "test"))
        yield engine


@pytest.fixture(scope="session")
def containerd_store() -> Iterator[Dockerd]:
    """An engine that keeps its images in containerd's store."""
    ca = certs.new_ca("the engine's CA")
    server = certs.issue_server(ca, ["orion.local"])
    with running_with(ca, server, CONTAINERD_STORE) as engine:
        engine.client(engine.directory, certs.issue_client(ca, "test"))
        yield engine


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    need(PROGRAM)
    with running_registry(tmp_path_factory.mktemp("registry") / "home") as found:
        yield found


@pytest.fixture(scope="session")
def source_dockerds() -> Iterator[tuple[Dockerd, Dockerd]]:
    ca = certs.new_ca("the engine's CA")
    server = certs.issue_server(ca, ["orion.local"])
    with running_with(ca, server) as classic, running_with(ca, server, CONTAINERD_STORE) as containerd:
        yield classic, containerd


@pytest.fixture
def sources(source_dockerds: tuple[Dockerd, Dockerd]) -> Iterator[dict[str, Engine]]:
    """Engines besides those of `engines`: a push to the engine that it comes from sends nothing."""
    with left_clean(*source_dockerds) as found:
        yield found


@pytest.fixture
def engines(dockerd: Dockerd, containerd_store: Dockerd) -> Iterator[dict[str, Engine]]:
    with left_clean(dockerd, containerd_store) as found:
        yield found


@contextmanager
def left_clean(classic: Dockerd, containerd: Dockerd) -> Iterator[dict[str, Engine]]:
    found = {
        "classic": Engine(Endpoint(f"unix://{classic.socket}")),
        "containerd": Engine(Endpoint(f"unix://{containerd.socket}")),
    }
    before = {name: set(engine.images()) for name, engine in found.items()}
    yield found
    for name, engine in found.items():
        for image in set(engine.images()) - before[name]:
            engine.remove(image)


def unique_layer(kilobytes: int = 200) -> bytes:
    return layer(f"file{next(numbers)}", os.urandom(kilobytes << 10))


@pytest.fixture
def image_machines(store: Store, engines: dict[str, Engine], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    """Two machines, `classic` and `containerd`; docker points at the first."""
    for name, engine in engines.items():
        added(store, Machine(name, "none", url=engine.endpoint.url, phase=Phase.READY))
    monkeypatch.setenv("DOCKER_HOST", engines["classic"].endpoint.url)
    monkeypatch.setenv("MACHINE_STORAGE_PATH", store.root)
    (tmp_path / "spool").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "spool"))
    return store
