"""How drivers are found and loaded, ours and somebody else's, in a process of their own where they are imported."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING

import pytest

from machinectl.driver import DriverError, MachineError, installed_drivers
from machinectl.driver.installed_drivers import Guarded, Installed, installed, load
from machinectl.errors import Hint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def package(site: Path, name: str, code: str, entry_points: str) -> None:
    """A package of somebody else's, installed on the import path."""
    (site / f"{name}.py").write_text(code)
    info = site / f"machinectl_{name}-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: machinectl-{name}\nVersion: 1.5\n")
    (info / "entry_points.txt").write_text(entry_points)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_every_driver_is_found_with_its_package_and_none_is_imported(site: Path) -> None:
    package(site, "bomb", "raise SystemError", "[machinectl.drivers]\nbomb = bomb:Driver\nboom = bomb:Other\n")
    found = {driver.name: driver for driver in installed()}
    assert list(found) == sorted(found)
    assert {"none", "generic", "bomb", "boom"} <= set(found)
    assert (found["boom"].package, found["boom"].version, found["boom"].origin) == (
        "machinectl-bomb",
        "1.5",
        "bomb:Other",
    )
    assert found["none"].package == "machinectl"
    assert "bomb" not in sys.modules


def test_a_driver_that_is_not_installed_is_named_with_those_that_are() -> None:
    with pytest.raises(DriverError, match='Driver "bogus" not found') as raised:
        load("bogus")
    assert "none" in raised.value.cause
    assert "machinectl drivers" in raised.value.hint


def test_a_driver_that_cannot_be_loaded_says_why_and_where_it_comes_from(site: Path) -> None:
    package(site, "broken", "import nosuchmodule", "[machinectl.drivers]\nbroken = broken:Driver\n")
    with pytest.raises(DriverError, match=r"\(broken:Driver\) cannot be loaded: .*No module named 'nosuchmodule'"):
        load("broken")


CLOSING = """
import sys
class Driver:
    def close(self):
        print("closed")
        raise ValueError("too late to matter")
"""


def test_all_who_ask_get_the_same_driver_which_is_closed_when_the_process_ends(site: Path) -> None:
    package(site, "closing", CLOSING, "[machinectl.drivers]\nclosing = closing:Driver\n")
    script = (
        "import sys\n"
        "from machinectl.driver.installed_drivers import load\n"
        "assert load('closing') is load('closing')\n"
        "assert 'machinectl_generic' not in sys.modules\n"
        "print('used')\n"
        "sys.exit(3)\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (process.returncode, process.stdout, process.stderr) == (3, "used\nclosed\n", "")


class Served:
    """A driver that is no entry point: it is in another process, and its options are what that one says."""

    def __init__(self, name: str) -> None:
        self.name = name

    def where(self, what: object) -> str:
        return f"{self.name}: {what}"


def served() -> Iterator[Installed]:
    for name in ("cloud", "none"):
        yield Installed(f"served-{name}", "a program", "?", f"/opt/{name}", partial(Served, name))
    yield Installed("none", "a program", "?", "/opt/none", partial(Served, "hides nothing"))


def half() -> Iterator[Installed]:
    yield from served()
    raise OSError("the directory is gone")


def test_drivers_can_be_found_in_other_ways_than_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed_drivers, "FINDERS", [*installed_drivers.FINDERS, served])
    found = {driver.name: driver for driver in installed()}
    assert (found["served-cloud"].origin, found["none"].origin) == ("/opt/cloud", "machinectl_none:NoneDriver")
    driver: object = found["served-cloud"].load()
    assert isinstance(driver, Guarded)
    assert driver.where("there") == "cloud: there"


def test_a_way_to_find_drivers_that_fails_hides_no_driver_and_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed_drivers, "FINDERS", [half, *installed_drivers.FINDERS])
    assert {"served-cloud", "none", "generic"} <= {driver.name for driver in installed()}
    with pytest.raises(DriverError, match="the directory is gone"):
        load("bogus")
    _, [error] = installed_drivers.search()
    assert "tests.driver.test_installed_drivers: OSError: the directory is gone" in error.cause


class Clumsy:
    def start(self, _: object) -> str:
        raise KeyError("a name\nand more")

    def stop(self, _: object) -> str:
        raise MachineError("it is meant so", Hint("do that"))


def test_what_a_driver_raises_is_its_own_error_or_is_blamed_on_it_by_name() -> None:
    driver = Guarded("clumsy", Clumsy())
    with pytest.raises(DriverError, match='Driver "clumsy" fails in start: KeyError'):
        driver.start(None)
    with pytest.raises(MachineError, match="it is meant so"):
        driver.stop(None)
    with pytest.raises(DriverError, match='Driver "clumsy" fails in kill: AttributeError'):
        driver.kill(None)
