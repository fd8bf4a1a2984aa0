"""The job for CI, step by step as GitHub's runner takes it, against a real engine.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idstepsshell
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from machinectl import certs
from tests.support.example import EXAMPLES, need_compose
from tests.support.real import need

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.dockerd import Dockerd
    from tests.support.example import Example

# What a user's repository has; the engine of the tests gives no network to containers.
PROJECT = """
services:
  app:
    image: example/app
    command: /bin/busybox sleep 1d
    network_mode: none
    stop_signal: KILL
"""
# All programs that a step starts are noted with their arguments.
NOTE = """#!/bin/sh
printf '%s\\n' "$*" >> {log}
PATH={path}
exec "${{0##*/}}" "$@"
"""


class Runner:
    """What GitHub's does with a job: its steps in order, each with what those before it put into GITHUB_ENV."""

    def __init__(self, directory: Path, example: Example, given: dict[str, str]) -> None:
        [self._job] = yaml.safe_load((EXAMPLES / "ci.yml").read_text())["jobs"].values()
        self._given = given
        self._work, self.temp = directory / "work", directory / "temp"
        self._variables, self.started = directory / "github-env", directory / "started"
        for made in (self._work, self.temp):
            made.mkdir()
        for made in (self._variables, self.started):
            made.touch()
        (self._work / "compose.yaml").write_text(PROJECT)
        self._environment = {
            **example.environment,
            "PATH": noting(directory / "noting", example.environment["PATH"], self.started),
            "RUNNER_TEMP": str(self.temp),
            "GITHUB_ENV": str(self._variables),
        }
        del self._environment["MACHINE_STORAGE_PATH"]
        self.told = ""
        # Keys outside of what the runner empties, after any step: a job may be cancelled there.
        self.strewn: list[Path] = []

    def run(self) -> list[str]:
        """The names of the steps that were run; the last of them failed where not all were.

        What comes from elsewhere is left out: actions, and the installation (`make dist` has it).
        """
        ran, failed = [], False
        for step in self._job["steps"]:
            if "uses" in step or "pipx install" in step["run"] or (failed and step.get("if") != "always()"):
                continue
            done = self._step(step)
            self.told += done.stdout
            self.strewn += keys(Path(self._environment["HOME"]))
            failed = failed or done.returncode != 0
            ran.append(step["name"] + (" (failed)" if done.returncode else ""))
        return ran

    def _step(self, step: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        assert self._job["defaults"] == {"run": {"shell": "bash"}}
        script = self.temp / "step.sh"
        script.write_text(step["run"])
        stated = {**self._job["env"], **step.get("env", {})}
        variables = {name: self._filled_in(value) for name, value in stated.items()}
        exported = dict(line.split("=", 1) for line in self._variables.read_text().splitlines())
        return subprocess.run(
            ["/bin/bash", "--noprofile", "--norc", "-eo", "pipefail", script],
            cwd=self._work,
            env={**self._environment, **exported, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60,
        )

    def _filled_in(self, value: str) -> str:
        return re.sub(r"\$\{\{ (?:secrets|vars)\.(\w+) \}\}", lambda found: self._given[found[1]], value)


def noting(directory: Path, path: str, log: Path) -> str:
    """A PATH on which each program is noted before it is started."""
    directory.mkdir()
    note = directory / ".note"
    note.write_text(NOTE.format(log=shlex.quote(str(log)), path=shlex.quote(path)))
    note.chmod(0o755)
    for name in {program for place in path.split(os.pathsep) for program in os.listdir(place)}:
        (directory / name).symlink_to(note)
    return str(directory)


@pytest.fixture
def image(dockerd: Dockerd) -> Iterator[None]:
    """The image of the project, without a registry: this computer's busybox and its libraries."""
    need("busybox")
    need_compose()
    docker = ["docker", f"--host=unix://{dockerd.socket}"]
    # A busybox that needs none is no dynamic executable: ldd fails.
    libraries = subprocess.run(["ldd", "/bin/busybox"], capture_output=True, text=True, check=False).stdout
    files = [name.lstrip("/") for name in ("/bin/busybox", *re.findall(r"/\S+", libraries))]
    archive = subprocess.run(["tar", "-C", "/", "-hc", *files], stdout=subprocess.PIPE, check=True).stdout
    subprocess.run([*docker, "import", "-", "example/app"], input=archive, stdout=subprocess.DEVNULL, check=True)
    yield
    subprocess.run([*docker, "compose", "-p", "work", "down"], capture_output=True, check=True)
    subprocess.run([*docker, "rmi", "example/app"], stdout=subprocess.DEVNULL, check=True)


def identity(dockerd: Dockerd, client: certs.Pair) -> dict[str, str]:
    """The variables and secrets of the repository, as `gh` keeps them: without the newline at their end."""
    return {
        "ENGINE_URL": dockerd.url,
        "ENGINE_CA": dockerd.ca.certificate.decode().rstrip(),
        "ENGINE_CERT": client.certificate.decode().rstrip(),
        "ENGINE_KEY": client.key.decode().rstrip(),
    }


def keys(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file() and "PRIVATE KEY" in path.read_text()]


@pytest.mark.usefixtures("image")
def test_the_job_deploys_to_the_machine_and_leaves_no_key(example: Example, dockerd: Dockerd, tmp_path: Path) -> None:
    client = certs.issue_client(dockerd.ca, "ci")
    runner = Runner(tmp_path, example, identity(dockerd, client))
    assert runner.run() == [
        "Keep machines in the job's directory",
        "Register the machine",
        "Deploy",
        "Forget the machine",
    ]
    asked = ["docker", f"--host=unix://{dockerd.socket}", "ps", "--format", "{{.Image}} {{.State}}"]
    assert subprocess.check_output(asked, text=True) == "example/app running\n"
    assert keys(runner.temp) == runner.strewn == []
    started = runner.started.read_text()
    assert "create tcp://127.0.0.1:" in started
    for line in client.key.decode().splitlines():
        assert line not in started + runner.told


def test_the_job_ends_with_the_reason_where_its_certificate_is_no_more_taken(
    example: Example, dockerd: Dockerd, tmp_path: Path
) -> None:
    stranger = certs.issue_client(certs.new_ca("the CA of before"), "ci")
    runner = Runner(tmp_path, example, identity(dockerd, stranger))
    assert runner.run()[1:] == ["Register the machine (failed)", "Forget the machine"]
    assert keys(runner.temp) == []
