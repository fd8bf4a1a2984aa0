"""A real server that docker-machine set up: taken over from its store, then on the host, and given back."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.container import run_container
from tests.lab.place import KEY
from tests.support.docker_machine import OldStore, drop_in
from tests.support.real import need

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.fixtures import FreshHost
    from tests.lab.host import Host
    from tests.support.lab_cli import Cli

pytestmark = pytest.mark.timeout(300)

ETC = "find /etc/docker /etc/systemd/system/docker.service.d -type f -exec stat -c '%n %a %u' {} + -exec sha256sum {} +"
RUNNING = "docker inspect -f '{{.State.Pid}} {{.State.StartedAt}}' web"
LABELS = "docker info -f '{{.Labels}}'"
# What it was created with: all of it is in its record and in the host's drop-in.
ENGINE: dict[str, Any] = {
    "Labels": ["rack=7"],
    "ArbitraryFlags": ["log-level=warn"],
    "Env": ["FOO=bar"],
    "InsecureRegistry": ["registry.lan:5000"],
    "RegistryMirror": ["https://mirror.lan/"],
}
ASKED = (
    "docker info -f '{{.RegistryConfig.Mirrors}} {{.Driver}}' && "
    "tr '\\0' '\\n' < /proc/$(pidof dockerd)/environ | grep FOO"
)


class DockerMachine:
    """A docker-machine that set a host up as "web"; the host's engine takes its client."""

    def __init__(self, root: Path, host: Host) -> None:
        need("docker")
        self.host = host
        self.store = OldStore(root)
        self.engine = {**ENGINE, "StorageDriver": host.output("docker info -f '{{.Driver}}'")}
        self.directory = self.store.add_host("web", KEY.read_bytes(), host.ip, **self.engine)
        self.set_up()
        self.before = self.store.snapshot()

    def set_up(self) -> None:
        """What libmachine/provision/utils.go does on the host, after the engine is installed."""
        for name in ("ca.pem", "server.pem", "server-key.pem"):
            self.send(f"/etc/docker/{name}", (self.directory / name).read_bytes())
        text = drop_in("generic", self.engine["StorageDriver"], self.engine)
        self.host.run("hostnamectl set-hostname web; ln -sf /usr/sbin/dockerd /usr/bin/dockerd")
        self.host.run("mkdir -p /etc/systemd/system/docker.service.d")
        self.send("/etc/systemd/system/docker.service.d/10-machine.conf", text.encode())
        self.host.run("systemctl daemon-reload; systemctl -f restart docker")

    def send(self, path: str, data: bytes) -> None:
        self.host.run(f"echo {base64.b64encode(data).decode()} | base64 -d > {path}")

    def docker(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The docker CLI as docker-machine's `env` points it."""
        environment = {
            "DOCKER_TLS_VERIFY": "1",
            "DOCKER_HOST": f"tcp://{self.host.ip}:2376",
            "DOCKER_CERT_PATH": str(self.directory),
        }
        return subprocess.run(
            ["docker", *words],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def is_let_in(self) -> bool:
        return self.docker("ps", "--format", "{{.Names}}").stdout == "web\n"


def by_context(*words: str) -> str:
    """What the docker CLI prints with the context of the machine."""
    command = ["docker", "--context", "web", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_a_host_is_used_at_once_then_taken_over_and_given_back(fresh_host: FreshHost, cli: Cli, tmp_path: Path) -> None:
    host = fresh_host("docker")
    machine = DockerMachine(tmp_path / "old", host)
    run_container(host, "web")
    assert machine.is_let_in()
    etc, running, asked = host.output(ETC), host.output(RUNNING), host.output(ASKED)

    cli.ok("import", "--from-docker-machine", machine.store.root)

    assert host.output(ETC) == etc
    assert cli.is_running("web")
    assert cli.shell("web", "docker ps --format '{{.Names}}'") == "web"
    assert cli.ok("ssh", "web", "hostname").stdout == "web\n"
    assert by_context("ps", "--format", "{{.Names}}") == "web\n"

    foretold = cli.ok("provision", "--dry-run", "web")
    assert "are locked out" in foretold.stderr
    assert "Nothing was changed" in foretold.stdout
    unasked = cli.run("provision", "web")
    assert unasked.returncode == 1
    assert "Set it up anyway: machinectl provision --yes web\n" in unasked.stderr
    assert host.output(ETC) == etc

    taken = cli.ok("provision", "--yes", "web")

    assert "are locked out" in taken.stderr
    assert cli.is_running("web")
    assert cli.shell("web", "docker ps --format '{{.Names}}'") == "web"
    assert by_context("ps", "--format", "{{.Names}}") == "web\n"
    assert host.output(RUNNING) == running
    assert host.output(LABELS) in {"[rack=7 provider=generic]", "[provider=generic rack=7]"}
    assert host.output(ASKED) == asked
    refused = machine.docker("ps")
    assert refused.returncode != 0
    assert "certificate" in refused.stderr
    again = cli.ok("provision", "web")
    assert '"web" is as it should be' in again.stderr
    assert "locked out" not in again.stderr
    assert cli.ok("import", "--from-docker-machine", machine.store.root).stdout == "web: here already\n"

    cli.ok("rm", "--purge", "-y", "web")

    assert host.output(ETC) == etc
    assert host.output(RUNNING) == running
    assert host.output(ASKED) == asked
    assert machine.is_let_in()
    assert machine.store.snapshot() == machine.before


def test_who_says_no_or_is_killed_loses_nothing(fresh_host: FreshHost, cli: Cli, tmp_path: Path) -> None:
    host = fresh_host("docker")
    machine = DockerMachine(tmp_path / "old", host)
    run_container(host, "web")
    running = host.output(RUNNING)
    cli.ok("import", "--from-docker-machine", machine.store.root)

    command = cli.start("provision", "--yes", "web")
    command.until("Keeping 1 container running")
    command.kill(signal.SIGKILL)

    assert cli.is_running("web")
    cli.ok("provision", "--yes", "web")
    assert cli.is_running("web")
    assert not machine.is_let_in()
    assert host.output(RUNNING) == running
