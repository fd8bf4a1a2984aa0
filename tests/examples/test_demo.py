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


def test_the_demo_runs_the_main_job_from_end_to_end(tmp_path: Path) -> None:
    need("dockerd", root=True)
    # What a lab needs and this has not: it would take minutes to build its image here.
    told = run_demo({"PATH": path_without(tmp_path, "debootstrap")})
    assert 'export DOCKER_HOST="tcp://127.0.0.1:' in told
    assert "\nEngine " in told
    assert "hosts for that cannot be made (they need debootstrap)" in told


def test_the_demo_dials_nothing_that_it_did_not_make_where_it_can_start_no_engine(tmp_path: Path) -> None:
    told = run_demo({"PATH": path_without(tmp_path, "dockerd", "debootstrap")})
    assert "No engine is started here" in told
    assert set(re.findall(r"tcp://([^:]*):", told)) == {"127.0.0.1"}


@pytest.mark.lab
@pytest.mark.timeout(600)
def test_the_demo_sets_up_a_real_server_and_gives_it_back(lab: object) -> None:  # noqa: ARG001 (where there can be one)
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
    """A PATH on which there is all that there is but some programs."""
    for place in reversed(os.environ["PATH"].split(os.pathsep)):
        for found in Path(place).glob("*"):
            link = directory / found.name
            link.unlink(missing_ok=True)
            link.symlink_to(found)
    for program in programs:
        (directory / program).unlink(missing_ok=True)
    return str(directory)
