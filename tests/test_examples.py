"""The examples are run: they are what people copy."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from machinectl.driver import CheckFailed
from machinectl.testing import DriverContract
from tests.support.real import need

EXAMPLES = Path(__file__).parent.parent / "examples"
HOSTS = """
192.168.0.29  orion   the old workstation
192.168.0.30  rigel
"""


@pytest.fixture(autouse=True)
def cupboard(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example driver as an installed package, and its list of hosts."""
    site = tmp_path_factory.mktemp("site")
    info = site / "machinectl_cupboard-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: machinectl-cupboard\nVersion: 1.0\n")
    entry = "[machinectl.drivers]\ncupboard = machinectl_cupboard:CupboardDriver\n"
    assert 'cupboard = "machinectl_cupboard:CupboardDriver"' in (EXAMPLES / "cupboard/pyproject.toml").read_text()
    (info / "entry_points.txt").write_text(entry)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.syspath_prepend(str(EXAMPLES / "cupboard"))
    monkeypatch.chdir(site)
    (site / "hosts.txt").write_text(HOSTS)
    return site / "hosts.txt"


class TestCupboardDriver(DriverContract):
    name = "cupboard"
    wishes = (
        {"cupboard-list": "hosts.txt", "cupboard-host": "orion"},
        {"cupboard-list": "hosts.txt", "cupboard-host": "rigel", "cupboard-port": 4243},
    )
    refused = ({"cupboard-list": "nowhere.txt"}, {"cupboard-list": "hosts.txt", "cupboard-host": "vega"})


def test_a_drivers_check_that_fails_is_exit_code_3() -> None:
    assert CheckFailed("x").exit_code == 3


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
        [sys.executable, str(EXAMPLES / "demo.py")],
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
