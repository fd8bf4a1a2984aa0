"""A user ID without an account, as in a container, and without $HOME."""

from __future__ import annotations

import os
import pwd
from typing import TYPE_CHECKING

import pytest

from machinectl.docker_cli.contexts import Contexts
from machinectl.docker_cli.plugin import install_plugin
from machinectl.errors import MachineError
from machinectl.machines.record import Machine, Phase
from tests.support.in_process import machinectl
from tests.support.registered import added

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.machines.store import Store

UNKNOWN = f"HOME is not set, and user ID {os.getuid()} has no home directory"
NAMED = "Set HOME, or name the store: export MACHINE_STORAGE_PATH=<DIR>"


@pytest.fixture(autouse=True)
def no_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return the current directory, where nothing may appear."""

    def getpwuid(number: int) -> object:
        raise KeyError(number)

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", getpwuid)
    here = tmp_path / "here"
    here.mkdir(0o700)
    monkeypatch.chdir(here)
    return here


@pytest.mark.parametrize(
    "words", ["env web1", "ls -q", "ls", "ip web1", "create -d none --url tcp://192.0.2.1:2376 web1", "run web1 -- id"]
)
def test_no_verb_keeps_a_store_below_the_current_directory(words: str, no_home: Path) -> None:
    done = machinectl(*words.split())
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"Error: {UNKNOWN}\n  {NAMED}\n")
    assert not list(no_home.iterdir())


def test_a_store_that_is_named_needs_no_home(no_home: Path, tmp_path: Path) -> None:
    url = "tcp://192.0.2.1:2376"
    done = machinectl("create", "-d", "none", "--url", url, "web1", store=tmp_path / "store")
    assert done.returncode == 0, done.stderr
    assert machinectl("ls", "-q", store=tmp_path / "store").stdout == "web1\n"
    assert not list(no_home.iterdir())


def test_docker_contexts_and_plugins_are_not_written_below_the_current_directory(no_home: Path, store: Store) -> None:
    added(store, Machine("web1", "none", url="ssh://root@192.0.2.1", phase=Phase.READY))
    done = machinectl("context", "sync", store=store.root)
    assert done.returncode == 1
    named = "Set HOME, or name docker's directory: export DOCKER_CONFIG=<DIR>"
    assert UNKNOWN in done.stderr
    assert named in done.stderr
    with pytest.raises(MachineError, match=UNKNOWN) as refused:
        install_plugin(["machinectl"], {})
    assert refused.value.hint == named
    assert Contexts().names() == []
    checked = machinectl("doctor", store=store.root)
    assert f" {UNKNOWN}\n" in checked.stdout
    assert not list(no_home.iterdir())
