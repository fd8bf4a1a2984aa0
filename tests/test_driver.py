from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from machinectl import driver as drivers
from machinectl.driver import DriverError
from tests.support.program import machinectl

if TYPE_CHECKING:
    from pathlib import Path

SOMEBODY_ELSES = """
import json
from machinectl.driver import Option

class Driver:
    def options(self):
        # Known at run time only, as those of a driver in another process are.
        return [Option("cloud-" + word, "A " + word + ".", default) for word, default in
                [("region", "eu"), ("cpus", 2), ("spot", False), ("tag", ())]]
    def check(self, request): pass
    def create(self, request):
        given = json.dumps(dict(request.options))
        return '{"n": 1.0, "n": 2, "StorePath": "%s", "given": %s}  ' % (request.directory, given)
    def remove(self, instance): pass
    def url(self, instance): return "tcp://192.0.2.1:2376"
    def ssh(self, instance): return None
    def state(self, instance): return None
    def move(self, instance, url): return instance.state
    def start(self, instance): pass
    stop = restart = kill = start
"""


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two packages of somebody else's on the import path: one driver works, one is broken."""
    (tmp_path / "cloud.py").write_text(SOMEBODY_ELSES)
    (tmp_path / "broken.py").write_text("import nosuchmodule\n")
    for package, entry in (("cloud", "cloud = cloud:Driver"), ("broken", "broken = broken:Driver")):
        info = tmp_path / f"machinectl_{package}-1.5.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: machinectl-{package}\nVersion: 1.5\n")
        (info / "entry_points.txt").write_text(f"[machinectl.drivers]\n{entry}\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))


def test_a_driver_that_is_not_installed_is_named_with_those_that_are() -> None:
    with pytest.raises(DriverError, match='Driver "bogus" not found') as raised:
        drivers.load("bogus")
    assert "none" in raised.value.cause


@pytest.mark.usefixtures("plugins")
def test_every_installed_driver_is_listed_and_a_broken_one_says_why() -> None:
    result = machinectl("drivers")
    assert result.returncode == 0
    rows = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert "machinectl-cloud" in rows["cloud"]
    assert "1.5" in rows["cloud"]
    assert "No module named 'nosuchmodule'" in rows["broken"]
    assert "none" in rows


@pytest.mark.usefixtures("plugins")
def test_a_broken_driver_breaks_neither_ls_nor_create_with_another(tmp_path: Path) -> None:
    store = tmp_path / "store"
    assert machinectl("create", "-d", "none", "--url", "tcp://127.0.0.1:1", "a", store=store).returncode == 0
    assert "a" in machinectl("ls", store=store).stdout
    failed = machinectl("create", "-d", "broken", "b", store=store)
    assert failed.returncode == 1
    assert "cannot be loaded" in failed.stderr
    assert "Traceback" not in failed.stderr


@pytest.mark.usefixtures("plugins")
def test_options_known_at_run_time_are_options_of_create_and_reach_the_driver(tmp_path: Path) -> None:
    store = tmp_path / "store"
    helped = machinectl("create", "-d", "cloud", "--help")
    assert "--cloud-region" in helped.stdout
    made = machinectl(
        "create",
        "--driver=cloud",
        "--cloud-cpus",
        "4",
        "--cloud-spot",
        "--cloud-tag",
        "a",
        "--cloud-tag",
        "b",
        "box",
        store=store,
    )
    assert made.returncode == 0, made.stderr
    given = machinectl("inspect", "-f", "{{json .Driver.given}}", "box", store=store).stdout
    assert given.strip() == '{"cloud-cpus":4,"cloud-region":"eu","cloud-spot":true,"cloud-tag":["a","b"]}'
    assert machinectl("create", "-d", "cloud", "--cloud-cpus", "many", "box2", store=store).returncode == 2


@pytest.mark.usefixtures("plugins")
def test_a_driver_that_crashes_is_blamed_by_name_and_does_not_keep_its_machine(tmp_path: Path) -> None:
    store = tmp_path / "store"
    assert machinectl("create", "-d", "cloud", "box", store=store).returncode == 0
    moved = machinectl("set", "--url", "unix:///x", "box", store=store)
    assert moved.returncode == 0, moved.stderr
    (tmp_path / "cloud.py").write_text(SOMEBODY_ELSES.replace("def remove(self, instance): pass", "remove = 1"))
    failed = machinectl("rm", "-y", "box", store=store)
    assert failed.returncode == 1
    assert 'Driver "cloud" fails in remove: TypeError' in failed.stderr
    assert machinectl("rm", "-f", "box", store=store).returncode == 0


@pytest.mark.usefixtures("plugins")
def test_a_drivers_state_is_kept_byte_for_byte_through_every_rewrite(tmp_path: Path) -> None:
    from machinectl.machines.store import Store

    store = tmp_path / "store"
    assert machinectl("create", "-d", "cloud", "box", store=store).returncode == 0
    before = Store(str(store)).read("box").driver_state
    assert before.startswith('{"n": 1.0, "n": 2, "StorePath": "/')
    assert before.endswith("  ")
    assert str(store) in before
    machinectl("set", "--label", "a=b", "box", store=store)
    machinectl("rename", "box", "crate", store=store)
    assert Store(str(store)).read("crate").driver_state == before
