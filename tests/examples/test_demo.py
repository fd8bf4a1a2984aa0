"""The demo runs from end to end, whatever there is on the computer that it runs on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.real import need

DEMO = Path(__file__).parents[2] / "examples" / "demo.py"


def test_the_demo_runs_the_whole_workflow(tmp_path: Path) -> None:
    need("dockerd", root=True)
    # Without mmdebstrap there is no lab, whose image takes minutes to build.
    told = run_demo({"PATH": path_without(tmp_path, "mmdebstrap")})
    assert 'export DOCKER_HOST="tcp://127.0.0.1:' in told
    assert "\nEngine " in told
    assert "cannot boot servers (they need mmdebstrap)" in told


def test_the_demo_connects_to_loopback_only_if_it_cannot_start_an_engine(tmp_path: Path) -> None:
    told = run_demo({"PATH": path_without(tmp_path, "dockerd", "mmdebstrap")})
    assert "This demo cannot start an engine" in told
    assert set(re.findall(r"tcp://([^:]*):", told)) == {"127.0.0.1"}


@pytest.mark.lab
@pytest.mark.timeout(600)
def test_the_demo_sets_up_a_real_server_and_undoes_that(lab: object) -> None:  # noqa: ARG001 - only if a lab is possible
    told = run_demo({})
    assert "Installing Docker Engine: the distribution's package docker.io" in told
    assert re.search(r"^rigel .* Running ", told, re.MULTILINE)
    assert told.rstrip().endswith("Successfully removed rigel")


def run_demo(environment: dict[str, str]) -> str:
    process = subprocess.run(
        [sys.executable, str(DEMO)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert process.returncode == 0, process.stdout
    return process.stdout


def path_without(directory: Path, *programs: str) -> str:
    """Return a PATH that lacks some programs."""
    for place in reversed(os.environ["PATH"].split(os.pathsep)):
        for found in Path(place).glob("*"):
            link = directory / found.name
            link.unlink(missing_ok=True)
            link.symlink_to(found)
    for program in programs:
        (directory / program).unlink(missing_ok=True)
    return str(directory)
