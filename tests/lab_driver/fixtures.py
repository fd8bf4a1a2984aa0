"""The driver `lab`, installed for one test and for the programs that it runs."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from tests.lab_driver import token_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.lab.lan import Lab

TOKEN = "let me in"


@pytest.fixture
def lab_driver(empty_lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """The lab that `--driver lab` makes hosts of; its number and its token are in the environment."""
    lab = empty_lab
    site = tmp_path / "lab-driver"
    info = site / "machinectl_lab-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: machinectl-lab\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[machinectl.drivers]\nlab = tests.lab_driver:LabDriver\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.setenv("LAB_NUMBER", str(lab.number))
    monkeypatch.setenv("LAB_TOKEN", TOKEN)
    token_file(lab.number).write_text(TOKEN)
    lab.network.up()
    yield lab
    token_file(lab.number).unlink()
    for owner in lab.owners():
        lab.remove_of(owner)
