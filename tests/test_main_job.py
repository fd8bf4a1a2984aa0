"""The main job on a real Docker Engine over TLS, with the real docker CLI, in the shell as people type it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.program import machinectl, on_the_path
from tests.support.real import need

if TYPE_CHECKING:
    from machinectl.machines.store import Store
    from tests.support.dockerd import Dockerd


@pytest.fixture
def certificates(dockerd: Dockerd, tmp_path: Path) -> Path:
    """What `certs create` makes for another client under the engine's own CA, as a directory for --tls-dir."""
    ca, key = tmp_path / "ca.pem", tmp_path / "ca-key.pem"
    ca.write_bytes(dockerd.ca.certificate)
    key.write_bytes(dockerd.ca.key)
    under = ("--ca-cert", ca, "--ca-key", key)
    written = machinectl("certs", "create", "--out", tmp_path / "given", "--san", "127.0.0.1", *under)
    assert written.returncode == 0, written.stderr
    return tmp_path / "given"


@pytest.fixture
def orionbox(dockerd: Dockerd, certificates: Path, store: Store) -> Store:
    made = machinectl(
        "create", "-d", "none", "--url", dockerd.url, "--tls-dir", certificates, "orionbox", store=store.root
    )
    assert (made.returncode, made.stderr) == (0, "")
    return store


def in_bash(script: str, store: Store, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a script in bash, where `machinectl` is a program on the PATH, as it is for a user."""
    need("bash", "docker")
    path = on_the_path(directory / "bin")
    environment = {**os.environ, "PATH": path, "MACHINE_STORAGE_PATH": store.root, "PYTHONPATH": os.getcwd()}
    return subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("evaluate", ["eval $(machinectl env orionbox)", 'eval "$(machinectl env orionbox)"'])
def test_docker_reaches_the_engine_with_what_env_prints(orionbox: Store, tmp_path: Path, evaluate: str) -> None:
    result = in_bash(f"{evaluate} && docker version --format '{{{{.Server.Version}}}}'", orionbox, tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == machinectl("version", "orionbox", store=orionbox.root).stdout


def test_docker_reaches_an_engine_without_tls_after_one_with_tls(
    orionbox: Store, dockerd: Dockerd, tmp_path: Path
) -> None:
    machinectl("create", "-d", "none", "--url", f"unix://{dockerd.socket}", "local", store=orionbox.root)
    both = "eval $(machinectl env orionbox) && eval $(machinectl env local) && docker version --format {{.Server.Os}}"
    result = in_bash(both, orionbox, tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (0, "linux\n", "")


def test_ls_and_status_and_active_tell_of_the_running_engine(orionbox: Store, dockerd: Dockerd) -> None:
    version = machinectl("version", "orionbox", store=orionbox.root).stdout.strip()
    row = machinectl("ls", store=orionbox.root, environment={"DOCKER_HOST": dockerd.url}).stdout.splitlines()[1]
    assert row.split() == ["orionbox", "*", "none", "Running", dockerd.url, f"v{version}"]
    assert machinectl("status", "orionbox", store=orionbox.root).stdout == "Running\n"


def test_api_prints_what_people_asked_the_socket_for_with_netcat(orionbox: Store) -> None:
    info = machinectl("api", "orionbox", "/info", store=orionbox.root)
    assert info.returncode == 0
    assert '"ServerVersion"' in info.stdout
    missing = machinectl("api", "orionbox", "GET", "/containers/ghost/json", store=orionbox.root)
    assert missing.returncode == 1
    assert "No such container" in missing.stdout
    assert "404" in missing.stderr
    pathless = machinectl("api", "orionbox", "POST", store=orionbox.root)
    assert pathless.returncode == 2
    assert "POST is a method: the path is missing" in pathless.stderr
    assert "api orionbox POST <PATH>" in pathless.stderr


def test_certificates_copied_by_hand_into_the_machines_directory_work_as_in_the_article(
    store: Store, dockerd: Dockerd, certificates: Path
) -> None:
    machinectl("create", "-d", "none", "--url", dockerd.url, "orionbox", store=store.root)
    assert "There are no certificates" in machinectl("ls", store=store.root).stdout
    for file in ("ca.pem", "cert.pem", "key.pem", "server.pem", "server-key.pem"):
        Path(store.directory("orionbox"), file).write_bytes((certificates / file).read_bytes())
    assert machinectl("status", "orionbox", store=store.root).stdout == "Running\n"


def test_certs_issue_makes_another_client_that_the_engine_takes(
    orionbox: Store, dockerd: Dockerd, tmp_path: Path
) -> None:
    issue = ("certs", "issue", "orionbox", "--out", tmp_path / "alice", "--client-name", "alice")
    refused = machinectl(*issue, store=orionbox.root)
    assert refused.returncode == 1
    assert "The key of the CA" in refused.stderr
    Path(orionbox.directory("orionbox"), "ca-key.pem").write_bytes(dockerd.ca.key)
    issued = machinectl(*issue, store=orionbox.root)
    assert issued.returncode == 0, issued.stderr
    assert "root on every engine" in issued.stdout
    need("docker")
    command = ["docker", "--tlsverify", "-H", dockerd.url, "version", "--format", "{{.Server.Os}}"]
    environment = {**os.environ, "DOCKER_CERT_PATH": str(tmp_path / "alice")}
    asked = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (asked.returncode, asked.stdout) == (0, "linux\n"), asked.stderr
