"""Real tools and a real engine with TLS: each runs by the files and lines that it gets, and by nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from machinectl import certs
from machinectl.access.tool_files import LAYOUTS, EngineAccess
from machinectl.errors import NO_HINT
from machinectl.files.fileset import locked_directory, replace_together
from tests.support.image_engines import import_busybox
from tests.support.real import need

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.dockerd import Dockerd

    Issued = Callable[[str], list[str]]

IMAGE = "of-busybox"
SDK = "import docker; print(docker.from_env().containers.list()[0].name)"
TESTCONTAINERS = f"""
from testcontainers.core.container import DockerContainer
with DockerContainer("{IMAGE}", network_mode="none").with_command(["sleep", "1000"]) as container:
    assert container.get_container_host_ip() == "127.0.0.1"
    print(container.exec("busybox echo hi").output.decode())
"""


@pytest.fixture(scope="module")
def container(dockerd: Dockerd) -> Iterator[str]:
    docker = ["docker", "-H", f"unix://{dockerd.socket}"]
    image = import_busybox(dockerd, IMAGE)
    subprocess.run(
        [*docker, "run", "-d", "--name", "web", "--network=none", image, "sleep", "1000"],
        capture_output=True,
        check=True,
    )
    yield "web"
    subprocess.run([*docker, "rm", "-f", "web"], capture_output=True, check=True)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "bob's tools"


@pytest.fixture
def issued(dockerd: Dockerd, out: Path) -> Issued:
    """Writes a tool's files for the machine rigel, and returns the lines."""

    def issue(tool: str) -> list[str]:
        client = certs.issue_client(dockerd.ca, tool)
        found = LAYOUTS[tool](
            [EngineAccess("rigel", dockerd.url, dockerd.ca.certificate, client.certificate, client.key)], str(out)
        )
        with locked_directory(str(out)):
            replace_together(str(out), found.files, force=False, hint=NO_HINT, mode=0o600)
        return found.lines

    return issue


def typed(line: str, home: Path, **variables: str) -> str:
    """Run a line in a shell without settings of docker's, and return its output."""
    done = subprocess.run(
        ["sh", "-c", line],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "DOCKER_CONFIG": str(home / "docker"), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_docker_itself_with_the_line_of_env(issued: Issued, tmp_path: Path) -> None:
    need("docker")
    [line] = issued("env")
    assert "Server:" in typed(line, tmp_path)


def test_docker_s_sdk_for_python_with_the_variables(container: str, issued: Issued, tmp_path: Path) -> None:
    [line] = issued("env")
    load = line.removesuffix("docker version")
    assert typed(f"{load} {sys.executable} -c '{SDK}'", tmp_path) == f"{container}\n"


def test_testcontainers_for_python(container: str, issued: Issued, tmp_path: Path) -> None:
    assert container
    load = issued("testcontainers")[0].removesuffix("pytest")
    (tmp_path / "test.py").write_text(TESTCONTAINERS)
    # Ryuk's image would have to be pulled.
    run = f"{load} {sys.executable} {tmp_path}/test.py"
    assert typed(run, tmp_path, TESTCONTAINERS_RYUK_DISABLED="true") == "hi\n\n"


@pytest.mark.parametrize("tool", ["github", "gitlab"])
def test_a_job_has_docker_s_files_from_the_variables(issued: Issued, out: Path, tmp_path: Path, tool: str) -> None:
    """The services are not here; their steps' shell is."""
    import yaml

    need("docker")
    issued(tool)
    machine = out / "rigel"
    if tool == "github":
        [step] = yaml.safe_load((machine / "step.yml").read_text())
        secrets = {
            part: (machine / name).read_text().rstrip("\n")
            for part, name in (("CA", "ca.pem"), ("CERT", "cert.pem"), ("KEY", "key.pem"))
        }
        results = tmp_path / "results"
        typed(step["run"], tmp_path, RUNNER_TEMP=str(tmp_path), GITHUB_ENV=str(results), **secrets)
        variables = dict(line.split("=", 1) for line in results.read_text().splitlines())
        script = "docker version"
    else:
        job = yaml.safe_load((machine / "gitlab-ci.yml").read_text())[".docker-rigel"]
        variables = {
            **job["variables"],
            **{
                f"DOCKER_RIGEL_{part}": (machine / f"{name}.base64").read_text()
                for part, name in (("CA", "ca.pem"), ("CERT", "cert.pem"), ("KEY", "key.pem"))
            },
        }
        script = "\n".join([*job["before_script"], "docker version"])
    assert "Server:" in typed(script, tmp_path, **variables)
