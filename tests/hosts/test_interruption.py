"""Whatever moment a command is killed at, nothing is lost and the next command works."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from machinectl import certs
from machinectl.cli.tables.machine_rows import machine_rows
from machinectl.hosts.identity import Identity
from machinectl.machines.record import Phase
from machinectl.state import State
from machinectl.verbs.certs import create_certificates
from tests.support.program import killed_at, machinectl, started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from machinectl.machines.store import Store

SHARES = 3
CREATE = ("create", "-d", "none", "--url", "tcp://127.0.0.1:1")


def killed_everywhere(store: Store, *arguments: str | Path, share: int = 0, of: int = 1) -> Iterator[int]:
    """Run a command again and again, killed at its first, second … touch of the store, until it comes to its end.

    One of several shares is every so manieth touch: the others are another test's, which runs beside this one.
    """
    for moment in range(1 + share, 200, of):
        process = killed_at(moment, store.root, *arguments)
        if process.returncode != -signal.SIGKILL:
            assert process.returncode == 0, process.stderr
            assert moment > 3, "the command does not touch the store"
            return
        check_nothing_is_exposed(store)
        yield moment
    pytest.fail("the command never comes to its end")


def check_nothing_is_exposed(store: Store) -> None:
    for root, _, files in os.walk(store.root):
        assert stat.S_IMODE(os.stat(root).st_mode) == 0o700
        for file in files:
            exposed = stat.S_IMODE(os.stat(os.path.join(root, file)).st_mode) & 0o077
            assert not exposed or file in {"ca.pem", "cert.pem", "server.pem"}


def forget(store: Store) -> None:
    with store.writing("orionbox") as held:
        held.remove()


def ready(store: Store) -> list[str]:
    """The machines that are listed as usable."""
    return [row.machine.name for row in machine_rows(store, {}) if row.state is not State.ERROR]


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    create_certificates(str(tmp_path / "certs"), ["127.0.0.1"])
    return tmp_path / "certs"


@pytest.mark.parametrize("share", range(SHARES))
def test_create_killed_anywhere_makes_a_whole_machine_or_none_and_can_be_run_again(
    store: Store, certificates: Path, share: int
) -> None:
    command = (*CREATE, "--tls-dir", certificates, "orionbox")
    for _ in killed_everywhere(store, *command, share=share, of=SHARES):
        if ready(store):
            check_whole(store)
            forget(store)
            continue
        again = machinectl(*command, store=store.root)
        assert again.returncode == 0, again.stderr
        check_whole(store)
        assert os.listdir(store.staging) == []
        forget(store)


def check_whole(store: Store) -> None:
    assert store.read("orionbox").phase == Phase.READY
    assert {"ca.pem", "cert.pem", "key.pem", "machine.json"} <= set(os.listdir(store.directory("orionbox")))


def test_rm_killed_anywhere_leaves_the_machine_or_nothing(store: Store) -> None:
    assert machinectl(*CREATE, "orionbox", store=store.root).returncode == 0
    for _ in killed_everywhere(store, "rm", "-y", "orionbox"):
        if ready(store) == []:
            assert machinectl(*CREATE, "orionbox", store=store.root).returncode == 0
        assert store.read("orionbox").url == "tcp://127.0.0.1:1"
    assert ready(store) == []
    assert os.listdir(store.staging) == []


def test_rename_killed_anywhere_leaves_the_machine_under_one_of_its_names(store: Store) -> None:
    assert machinectl(*CREATE, "old", store=store.root).returncode == 0
    for _ in killed_everywhere(store, "rename", "old", "new"):
        assert ready(store) in (["old"], ["new"])
        if ready(store) == ["new"]:
            assert machinectl("rename", "new", "old", store=store.root).returncode == 0
    assert ready(store) == ["new"]


def test_set_killed_anywhere_leaves_the_old_record_or_the_new_one(store: Store) -> None:
    assert machinectl(*CREATE, "orionbox", store=store.root).returncode == 0
    for _ in killed_everywhere(store, "set", "--url", "tcp://127.0.0.1:2", "orionbox"):
        assert store.read("orionbox").url in {"tcp://127.0.0.1:1", "tcp://127.0.0.1:2"}
    assert store.read("orionbox").url == "tcp://127.0.0.1:2"


@pytest.mark.parametrize("share", range(SHARES))
def test_certs_import_killed_anywhere_leaves_no_mix_of_certificates(
    store: Store, certificates: Path, tmp_path: Path, share: int
) -> None:
    assert machinectl(*CREATE, "orionbox", store=store.root).returncode == 0
    shutil.copytree(store.directory("orionbox"), tmp_path / "as it was made")
    for _ in killed_everywhere(store, "certs", "import", "orionbox", certificates, share=share, of=SHARES):
        assert ready(store) == ["orionbox"]
        again = machinectl("certs", "import", "orionbox", certificates, store=store.root)
        assert again.returncode == 0, again.stderr
        listed = machinectl("certs", "ls", "--fail-under", "1", store=store.root)
        assert listed.returncode == 0, listed.stdout
        forget(store)
        shutil.copytree(tmp_path / "as it was made", store.directory("orionbox"))


def test_renewal_of_a_client_killed_anywhere_leaves_the_old_certificate_or_the_new_one(
    store: Store, certificates: Path
) -> None:
    assert machinectl(*CREATE, "--tls-dir", certificates, "orionbox", store=store.root).returncode == 0
    for _ in killed_everywhere(store, "renew", "--due", "--lifetime-left", "100%"):
        identity = Identity.read(store.directory("orionbox"))
        certs.client_bundle(identity.ca, identity.client, identity.client_key)
        assert ready(store) == ["orionbox"]
    files = set(os.listdir(store.directory("orionbox")))
    assert not [file for file in files if file.endswith(".tmp")]


def test_of_two_creates_of_one_name_at_once_exactly_one_wins(store: Store) -> None:
    processes = [
        started(*CREATE[:-1], f"tcp://127.0.0.1:{port}", "orionbox", store=store.root, stderr=subprocess.PIPE)
        for port in range(1, 7)
    ]
    errors = [process.communicate(timeout=60)[1] for process in processes]
    assert sorted(process.returncode for process in processes) == [0, 1, 1, 1, 1, 1]
    assert sum(b'Docker machine "orionbox" already exists' in error for error in errors) == 5
    winner = next(port for port, process in enumerate(processes, 1) if process.returncode == 0)
    assert store.read("orionbox").url == f"tcp://127.0.0.1:{winner}"
