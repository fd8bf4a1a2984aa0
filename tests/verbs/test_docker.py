"""`machinectl docker`: the real docker CLI against real engines, each with what `env` sets for it."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from machinectl.hosts.docker_program import docker_environment
from machinectl.machines.engine_options import EngineOptions
from machinectl.machines.record import Machine
from tests.support import servers
from tests.support.in_process import machinectl
from tests.support.program import COMMAND
from tests.support.real import need
from tests.support.registered import added, register

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.machines.store import Store
    from tests.support.dockerd import Dockerd
    from tests.support.sshd import Sshd

CERTIFICATES = ("ca.pem", "cert.pem", "key.pem")


@pytest.fixture
def engines(store: Store, dockerd: Dockerd) -> Store:
    """One engine, over TLS and by its socket."""
    need("docker")
    files = {name: (dockerd.directory / name).read_bytes() for name in CERTIFICATES}
    added(store, Machine("orion", "none", url=dockerd.url, tls=True), files)
    added(store, Machine("local", "none", url=f"unix://{dockerd.socket}", tls=False))
    return store


def test_each_engine_is_asked_by_docker_itself_whatever_the_shell_points_at(engines: Store) -> None:
    elsewhere = {"DOCKER_HOST": "tcp://192.0.2.1:1", "DOCKER_CONTEXT": "nonesuch", "DOCKER_TLS_VERIFY": "1"}
    done = machinectl(
        "docker", "--all", "--", "version", "--format", "{{.Server.Os}}", store=engines.root, environment=elsewhere
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(done.stdout.splitlines()) == ["local | linux", "orion | linux"]


@pytest.fixture
def far(store: Store, dockerd: Dockerd, sshd: Sshd) -> Store:
    """An engine that only SSH leads to; docker's own ssh lacks its keys."""
    need("docker")
    sshd.configure(f"SetEnv SHLVL=2 DOCKER_HOST=unix://{dockerd.socket}")
    register(store, "far", sshd)
    with store.writing("far") as held:
        held.machine.url, held.machine.tls = f"ssh://{sshd.user}@{sshd.host}:{sshd.port}", False
        held.machine.engine = EngineOptions(ssh_only=True)
        held.write()
    return store


@pytest.mark.usefixtures("ssh_config", "runtime")
def test_an_engine_that_is_off_is_told_and_asked_over_the_kept_connection_once_it_runs(
    far: Store, dockerd: Dockerd, sshd: Sshd
) -> None:
    moved = dockerd.socket.with_name("moved.sock")
    sshd.configure(f"SetEnv SHLVL=2 DOCKER_HOST=unix://{moved}")
    for _ in range(2):
        done = machinectl("docker", "far", "--", "ps", store=far.root)
        assert (done.returncode, done.stdout) == (1, "")
        assert "connect: no such file or directory" in done.stderr
        assert "Start the engine on the host: sudo systemctl start docker" in done.stderr
    assert (
        "no such file" in json.loads(machinectl("docker", "far", "--json", "--", "ps", store=far.root).stdout)["Error"]
    )
    # This notes that sshd forwards nothing.
    assert "no such file" in machinectl("ps", "far", store=far.root).stderr
    os.link(dockerd.socket, moved)
    done = machinectl("docker", "far", "--", "version", "--format", "{{.Server.Os}}", store=far.root)
    moved.unlink()
    assert (done.returncode, done.stdout, done.stderr) == (0, "linux\n", "")


@pytest.mark.usefixtures("ssh_config", "runtime")
@pytest.mark.parametrize("forwarding", ["yes", "no"])
def test_an_engine_behind_ssh_is_asked_with_the_machines_keys_and_over_the_kept_connection_if_sshd_forwards(
    far: Store, dockerd: Dockerd, sshd: Sshd, forwarding: str
) -> None:
    sshd.configure(f"SetEnv SHLVL=2 DOCKER_HOST=unix://{dockerd.socket}", f"AllowStreamLocalForwarding {forwarding}")
    for _ in range(2):
        done = machinectl("docker", "far", "--", "version", "--format", "{{.Server.Os}}", store=far.root)
        assert (done.returncode, done.stdout, done.stderr) == (0, "linux\n", "")
    assert forwarding == "no" or sshd.log.count("Accepted publickey") == 1


def test_what_is_piped_in_is_given_to_all_and_the_status_is_dockers(engines: Store) -> None:
    done = machinectl("docker", "orion", "local", "--", "load", store=engines.root, stdin="no archive\n")
    assert done.returncode == 1
    assert {line.partition(" | ")[0].strip() for line in done.stderr.splitlines()[:-1]} == {"orion", "local"}
    assert done.stderr.splitlines()[-1] == "2 of 2 failed: local (status 1), orion (status 1)"
    usage = machinectl("docker", "orion", "--", "run", "--nonesuch", store=engines.root)
    assert usage.returncode == 125


def test_one_named_machine_writes_an_archive_to_a_file_as_docker_does(engines: Store, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "root.tar", "w"):
        pass
    machinectl("docker", "local", "--", "import", str(tmp_path / "root.tar"), "empty:1", store=engines.root)
    saved = subprocess.run(
        [*COMMAND, "docker", "local", "--", "save", "empty:1"],
        env={**os.environ, "MACHINE_STORAGE_PATH": str(engines.root)},
        capture_output=True,
        check=True,
    )
    with tarfile.open(fileobj=io.BytesIO(saved.stdout)) as archive:
        assert "manifest.json" in archive.getnames()


def test_an_engine_that_does_not_answer_is_dockers_to_tell_and_keeps_nobody_else(engines: Store) -> None:
    added(engines, Machine("gone", "none", url=f"tcp://127.0.0.1:{servers.free_port()}", tls=False))
    done = machinectl("docker", "gone", "local", "nonesuch", "--", "ps", "-q", store=engines.root)
    assert done.returncode == 1
    assert "gone     | Cannot connect to the Docker daemon" in done.stderr
    assert "2 of 3 failed: gone (status 1), nonesuch (error)" in done.stderr


def test_without_docker_it_is_said_in_a_line(store: Store, tmp_path: Path) -> None:
    added(store, Machine("local", "none", url="unix:///nowhere.sock", tls=False))
    done = machinectl("docker", "local", "--", "ps", store=store.root, environment={"PATH": str(tmp_path)})
    assert done.returncode == 1
    assert "There is no docker on this computer" in done.stderr


def test_no_variable_of_another_machine_is_left() -> None:
    before = {
        "DOCKER_HOST": "x",
        "DOCKER_CERT_PATH": "y",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CONTEXT": "z",
        "BUILDX_BUILDER": "b",
        "HOME": "/h",
    }
    variables = {"DOCKER_HOST": "unix:///s", "DOCKER_CERT_PATH": None, "DOCKER_TLS_VERIFY": None}
    assert docker_environment({**before, "HOME": "/h"}, variables) == {"DOCKER_HOST": "unix:///s", "HOME": "/h"}


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("docker wbe1 -- login -p SECRET", "docker web1 -- …"),
        ("exec app mysql -pSECRET", "docker web1 -- exec app mysql -p…"),
    ],
)
def test_a_hint_of_docker_leaves_typed_secrets_out(store: Store, typed: str, hint: str) -> None:
    added(store, Machine("web1", "generic", url="tcp://127.0.0.1:1", tls=True))
    ended = machinectl(*shlex.split(typed), store=store.root)
    assert hint in ended.stderr
    assert "SECRET" not in ended.stdout + ended.stderr
