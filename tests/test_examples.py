"""The examples are run: they are what people copy."""

from __future__ import annotations

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


def test_the_demo_runs_the_main_job_from_end_to_end() -> None:
    need("dockerd", root=True)
    process = subprocess.run([sys.executable, EXAMPLES / "demo.py"], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout + process.stderr
    assert 'export DOCKER_HOST="tcp://' in process.stdout
    assert process.stdout.rstrip().splitlines()[-1].startswith("Engine ")
