"""The driver contract, and what only this driver does."""

from __future__ import annotations

from pathlib import Path

import pytest
from machinectl_cupboard import CupboardDriver

from machinectl.driver import CheckFailed, Request
from machinectl.testing import DriverContract

HOSTS = """
192.168.0.29  orion   the old workstation
192.168.0.30  rigel
"""


@pytest.fixture(autouse=True)
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The list, in the directory where `create` is typed."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "hosts.txt"
    path.write_text(HOSTS)
    return path


class TestTheContract(DriverContract):
    name = "cupboard"
    wishes = (
        {"cupboard-list": "hosts.txt", "cupboard-host": "orion"},
        {"cupboard-list": "hosts.txt", "cupboard-host": "rigel", "cupboard-port": 4243},
    )
    refused = ({"cupboard-list": "nowhere.txt"}, {"cupboard-list": "hosts.txt", "cupboard-host": "vega"})


def test_the_error_for_a_missing_host_names_the_hosts_of_the_list(hosts: Path) -> None:
    request = Request("vega", "", {"cupboard-list": str(hosts), "cupboard-host": ""})
    with pytest.raises(CheckFailed) as refused:
        CupboardDriver().check(request)
    assert refused.value.hint == "It has orion, rigel: --cupboard-host HOST"
