"""A tool on a real host: it gets files, works with them, is ended, and is refused; containers notice nothing."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.lab.container import run_container
from tests.support.lab_cli import generic
from tests.support.real import need
from tests.support.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Self

    from tests.lab.fixtures import FreshHost
    from tests.support.lab_cli import Cli

pytestmark = pytest.mark.timeout(300)

RUNNING = "docker inspect -f '{{.State.Pid}} {{.State.StartedAt}}' web"
BEGAN = "systemctl show docker -p MainPID"
SERVES = 'sh -c "/bin/busybox echo containers_metric 1 >/metrics; exec /bin/busybox httpd -f -p 8080 -h /"'
FAILURES = r'^prometheus_sd_refresh_failures_total{.*mechanism="docker".*} (\d+)'
# Seconds until Prometheus has looked at an engine, and scraped a container.
# Seconds between questions, which take the CPU time that what is waited for needs.
PAUSE = 0.2
PATIENCE = 90
NAMES = "docker ps --format '{{.Names}}'"


def typed(line: str, home: Path) -> str:
    """What a tool's line prints, or why it fails, in a shell without settings of docker's."""
    done = subprocess.run(
        ["sh", "-c", line],
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stdout if done.returncode == 0 else f"refused: {done.stderr}"


def test_a_tool_works_with_its_files_until_its_access_is_ended(fresh_host: FreshHost, cli: Cli, tmp_path: Path) -> None:
    need("docker")
    host = fresh_host("docker")
    run_container(host, "web")
    running = host.output(RUNNING)
    cli.ok(*generic(host))

    def issued(out: str, *more: str) -> str:
        done = cli.ok("access", "issue", "-y", "env", "orion", "--out", tmp_path / out, *more)
        return done.stdout.replace("docker version", NAMES)

    tool, other = issued("tool"), issued("other", "--for", "ci-runner")
    assert typed(tool, tmp_path) == typed(other, tmp_path) == "web\n"
    assert "/etc/docker/machinectl/clients.pem" in cli.ok("access", "end", "--dry-run", "env", "orion").stdout

    # New keys for the same holder restart nothing, and the old ones work until they expire.
    began = host.output(BEGAN)
    earlier = tmp_path / "earlier"
    (tmp_path / "tool").rename(earlier)
    assert issued("tool") == tool
    before = tool.replace(f"{tmp_path}/tool/", f"{earlier}/")
    assert typed(tool, tmp_path) == typed(before, tmp_path) == "web\n"
    assert host.output(BEGAN) == began

    cli.ok("access", "end", "-y", "env", "orion")
    assert "tls: certificate required" in typed(tool, tmp_path)
    assert typed(other, tmp_path) == "web\n"
    assert cli.is_running()
    assert host.output(RUNNING) == running
    listed = cli.ok("access", "ls").stdout
    assert "ci-runner" in listed
    assert " env " not in listed
    # Whoever needs it again gets new keys; the old ones stay refused.
    assert typed(issued("again"), tmp_path) == "web\n"
    assert "tls: unknown certificate authority" in typed(tool, tmp_path)
    assert host.output(RUNNING) == running


class Prometheus:
    """A Prometheus that runs by a line of `access issue`; only its data and its port are the test's."""

    def __init__(self, line: str, directory: Path) -> None:
        directory.mkdir()
        self._port = free_port()
        words = [f"--storage.tsdb.path={directory}/data", f"--web.listen-address=127.0.0.1:{self._port}"]
        self._log = directory / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen([*shlex.split(line), *words], stdout=log, stderr=log)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def asked(self, path: str) -> str:
        """What it answers; "" until it listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    def until(self, done: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < end, self._log.read_text()
            assert self._process.poll() is None, self._log.read_text()
            time.sleep(PAUSE)

    @property
    def targets(self) -> dict[str, str]:
        """The health of each target, by its URL."""
        answer = self.asked("/api/v1/targets")
        active = json.loads(answer)["data"]["activeTargets"] if answer else []
        return {target["scrapeUrl"]: target["health"] for target in active}

    @property
    def failures(self) -> int:
        """How often it could not read the engine's containers."""
        found = re.findall(FAILURES, self.asked("/metrics"), re.MULTILINE)
        return sum(map(int, found))


def test_prometheus_finds_the_containers_of_an_engine_until_its_access_is_ended(
    fresh_host: FreshHost, cli: Cli, tmp_path: Path
) -> None:
    need("prometheus")
    host = fresh_host("docker")
    run_container(host, "web", "-p 9100:8080", SERVES)
    cli.ok(*generic(host))
    done = cli.ok("access", "issue", "-y", "prometheus", "orion", "--out", tmp_path / "prometheus")
    _, line = done.stdout.splitlines()
    url = f"http://{host.ip}:9100/metrics"
    with Prometheus(line, tmp_path / "1") as server:
        server.until(lambda: server.targets == {url: "up"})
        found = server.asked("/api/v1/query?query=containers_metric")
        assert json.loads(found)["data"]["result"][0]["metric"]["container"] == "web"
        assert server.failures == 0
    cli.ok("access", "end", "-y", "prometheus", "orion")
    with Prometheus(line, tmp_path / "2") as server:
        server.until(lambda: server.failures > 0)
        assert server.targets == {}
