"""What sees machines by their docker contexts, and by nothing else: Compose and buildx."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.docker_cli import DockerCli
from tests.support.in_process import machinectl
from tests.support.real import need

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.machines.store import Store
    from tests.support.dockerd import Dockerd


@pytest.fixture
def docker(store: Store, dockerd: Dockerd, tmp_path: Path) -> DockerCli:
    """A docker CLI that knows the machine orionbox."""
    command = ("create", "-d", "none", "--url", dockerd.url, "--tls-dir", dockerd.directory, "orionbox")
    assert machinectl(*command, store=store.root).returncode == 0
    return DockerCli(tmp_path / "home" / ".docker")


def has_plugin(docker: DockerCli, name: str) -> None:
    if docker.run(name, "version").returncode:
        need(f"docker-{name}")


def test_compose_works_on_a_machine_by_its_context(docker: DockerCli, tmp_path: Path) -> None:
    has_plugin(docker, "compose")
    file = tmp_path / "compose.yaml"
    file.write_text("services: {}\nnetworks: {probe: {driver: 'null'}}\n")
    assert docker("--context", "orionbox", "compose", "-f", str(file), "ls", "--format", "json").strip() == "[]"


def test_buildx_makes_a_builder_of_a_machine_by_its_context(docker: DockerCli) -> None:
    has_plugin(docker, "buildx")
    listed = docker("buildx", "ls")
    assert [line for line in listed.splitlines() if line.startswith("orionbox")], listed
    docker("buildx", "create", "--name", "built", "orionbox")
    assert "orionbox" in docker("buildx", "inspect", "built")
