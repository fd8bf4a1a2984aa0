"""A real registry on loopback: Docker's, as Debian packages it."""

from __future__ import annotations

import http.client
import json
import subprocess
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.archives import INDEX, MANIFEST
from tests.support.servers import free_port
from tests.support.sshds import wait_listening

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.archives import Made

HOST = "127.0.0.1"
PROGRAM = "docker-registry"
DONE = (201, 202)


@dataclass(frozen=True)
class Registry:
    port: int

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    def upload(self, name: str, image: Made) -> str:
        """Store an image with its blobs as they are; return the name to pull. `docker push` compresses them."""
        repository, _, tag = name.partition(":")
        with closing(http.client.HTTPConnection(HOST, self.port, timeout=30)) as connection:
            for digest, data in image.blobs.items():
                place = self._send(connection, "POST", f"/v2/{repository}/blobs/uploads/")
                self._send(connection, "PUT", f"{place}&digest={digest}", data)
            # A manifest may be taken only after what it lists.
            for digest, data in image.blobs.items():
                if kind := media_type(data):
                    reference = tag if digest == image.descriptor["digest"] else digest
                    self._send(connection, "PUT", f"/v2/{repository}/manifests/{reference}", data, kind)
        return f"{self.address}/{name}"

    def _send(
        self, connection: http.client.HTTPConnection, method: str, path: str, data: bytes = b"", kind: str = ""
    ) -> str:
        """Return where to go on."""
        connection.request(method, path, data, {"Content-Type": kind or "application/octet-stream"})
        answer = connection.getresponse()
        said = answer.read()
        assert answer.status in DONE, said
        return answer.getheader("Location", "").removeprefix(f"http://{self.address}")


def media_type(data: bytes) -> str:
    """Return that of a manifest or an index, "" for another blob."""
    try:
        kind = json.loads(data).get("mediaType", "")
    except ValueError:
        return ""
    return kind if kind in {MANIFEST, INDEX} else ""


@contextmanager
def running_registry(directory: Path) -> Iterator[Registry]:
    """Start one that keeps its data in `directory`/data."""
    directory.mkdir()
    registry = Registry(free_port())
    configuration = directory / "config.yml"
    storage = {"filesystem": {"rootdirectory": str(directory / "data")}}
    # JSON is YAML.
    configuration.write_text(json.dumps({"version": 0.1, "storage": storage, "http": {"addr": registry.address}}))
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([PROGRAM, "serve", str(configuration)], stdout=log, stderr=log)
    try:
        wait_listening(HOST, registry.port)
        yield registry
    finally:
        process.terminate()
        process.wait()
