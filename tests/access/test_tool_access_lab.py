"""A tool on a real host: it gets files, works with them, is ended, and is refused; containers notice nothing."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.lab.container import run_container
from tests.support.lab_cli import generic
from tests.support.real import need

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.fixtures import FreshHost
    from tests.support.lab_cli import Cli

pytestmark = pytest.mark.timeout(300)

RUNNING = "docker inspect -f '{{.State.Pid}} {{.State.StartedAt}}' web"
BEGAN = "systemctl show docker -p MainPID"
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
