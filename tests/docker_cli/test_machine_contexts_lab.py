"""The docker context of a machine that is set up over SSH, through all that becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.docker_cli import DockerCli
from tests.support.lab_cli import generic

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.fixtures import FreshHost
    from tests.support.lab_cli import Cli

pytestmark = pytest.mark.timeout(300)


def test_docker_reaches_the_host_by_its_context_whatever_becomes_of_the_machine(
    fresh_host: FreshHost, cli: Cli, tmp_path: Path
) -> None:
    host, docker = fresh_host("docker"), DockerCli(tmp_path / "home" / ".docker")

    def is_reached() -> bool:
        return bool(docker("--context", "orion", "version", "--format", "{{.Server.Version}}").strip())

    cli.ok(*generic(host))
    assert is_reached()
    for verb in (["regenerate-certs", "-y", "--client-certs"], ["regenerate-certs", "-y", "--new-ca"], ["provision"]):
        cli.ok(*verb, "orion")
        assert is_reached()
    cli.ok("set", "--generic-ip-address", "192.0.2.9", "orion")
    assert docker.inspect("orion")["Endpoints"]["docker"]["Host"] == "tcp://192.0.2.9:2376"
    cli.ok("set", "--generic-ip-address", host.ip, "orion")
    assert is_reached()
    docker("context", "rm", "orion")
    cli.ok("provision", "orion")
    assert is_reached()
    cli.ok("rm", "-y", "--purge", "orion")
    assert docker.contexts() == set()
