"""What every test gets: a store of its own, and an environment that nothing of the user's shell leaks into."""

from __future__ import annotations

import gc
import itertools
import os
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from machinectl.machines import answered_address
from machinectl.machines.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

# A background job of a shell ignores SIGINT and SIGQUIT, one of nohup SIGHUP. What tests end must not inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)

# Fixtures come from here alone: who imports one gets another one of the same name.
pytest_plugins = [
    "tests.lab.fixtures",
    "tests.lab_driver.fixtures",
    "tests.support.age_passphrases",
    "tests.support.docker_plugged",
    "tests.support.image_engines",
    "tests.support.driver",
    "tests.support.example",
    "tests.support.lab_cli",
    "tests.support.sshd",
]

# The machines that CI runs on are slow at times; a slow example is not a wrong one. Each run draws other examples.
settings.register_profile("machinectl", deadline=None, print_blob=True, max_examples=30)
settings.load_profile("machinectl")


# Where the tests' files are, if there is room: to write and sync them takes up to a quarter of a test's time on a disk.
_MEMORY = Path("/dev/shm")
_ROOM = 3 << 30
_NUMBERS = itertools.count()

# A file that has tests of the lab names a fixture that leads to it.
_OF_THE_LAB = re.compile(rb"\b(?:lab|empty_lab|fresh_host|lab_driver)\b")


def pytest_configure() -> None:
    if "TMPDIR" not in os.environ and _MEMORY.is_dir():
        memory = os.statvfs(_MEMORY)
        if memory.f_bavail * memory.f_frsize >= _ROOM and not memory.f_flag & os.ST_NOEXEC:
            os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Keep the garbage collector away from thousands of items, here and in all that is run later.

    What is frozen counts as nothing: the collector would look through all the rest again and again.
    """
    gc.disable()
    yield
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)
    gc.enable()


@pytest.hookimpl
def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out files without a test of the lab where only those run: to read all takes each process many seconds."""
    only_lab = config.getoption("markexpr") == "lab" and re.fullmatch(r"test_.*\.py", collection_path.name)
    return True if only_lab and not asks_for_the_lab(collection_path) else None


def asks_for_the_lab(file: Path) -> bool:
    return bool(_OF_THE_LAB.search(file.read_bytes()))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that ask for the lab, themselves or by another fixture, before `-m` chooses by marks.

    What takes long comes first: at the end, one process would run it while the others have nothing left.
    """
    for item in items:
        if isinstance(item, pytest.Function) and "lab" in item.fixturenames:
            if not asks_for_the_lab(item.path):
                raise pytest.UsageError(f"{item.nodeid}: name its fixture in _OF_THE_LAB of tests/conftest.py")
            item.add_marker("lab")
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Hand out tests as they share servers, where `--dist loadscope` asks for such a thing."""
    if config.getoption("dist") != "loadscope":
        return None
    # It is loaded by the process that hands out, which has xdist.
    from tests.lab.sharing import BySharedServers

    return BySharedServers(config, log)


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a test's directory as pytest does, without its link to the last one, which takes most of the time."""
    name = re.sub(r"\W", "_", request.node.name)[:30]
    directory = tmp_path_factory.getbasetemp() / f"{name}{next(_NUMBERS)}"
    directory.mkdir(0o700)
    return directory


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Leave nothing of DOCKER_*, MACHINE*, the user's directories and shell in the environment."""
    for name in list(os.environ):
        if name.startswith(("DOCKER_", "MACHINE_", "MACHINECTL_")) and name != "MACHINECTL_REQUIRE_REAL":
            monkeypatch.delenv(name)
    for name in ("no_proxy", "NO_PROXY", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("SHELL", "/bin/bash")
    # What an earlier test heard of addresses would move the contexts of this one's machines.
    monkeypatch.setattr(answered_address, "NEWS", answered_address.AddressNews())


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))
