"""An image that certainly does not fit on a host's disk is refused before anything is sent."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from machinectl import certs
from machinectl.commands import push
from machinectl.hosts.image_transfer import transfer
from machinectl.hosts.status import target_disk
from machinectl.hosts.status.target_disk import BLOCKS, disk_command, free_bytes, parse_free
from machinectl.images import send
from machinectl.images.write_archive import Known
from machinectl.machines.record import Machine, Phase
from tests.support.archives import Made, saved
from tests.support.dockerd import running_with
from tests.support.image_engines import unique_layer
from tests.support.in_process import machinectl
from tests.support.real import need
from tests.support.registered import added, register

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.machines.store import Store
    from tests.support.sshd import Sshd

SHELLS = ["dash", "bash", "zsh", "fish", "tcsh", "ksh", "mksh"]
CLASSIC = Known(False, "linux/amd64", host="orion", root_directory="/srv/docker")
CONTAINERD = Known(True, "linux/amd64", host="orion", root_directory="/var/lib/docker")


@pytest.mark.parametrize("dry_run", [[], ["--dry-run"]])
def test_an_image_that_does_not_fit_on_the_host_is_refused_before_it_is_sent(
    store: Store, sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dry_run: list[str]
) -> None:
    ca = certs.new_ca("the engine's CA")
    archive = tmp_path / "app.tar"
    archive.write_bytes(saved({"app:1": Made([unique_layer(20 << 10)])}))
    monkeypatch.setattr(transfer, "LARGE", 1 << 20)
    monkeypatch.setattr(send, "load_image", lambda *_: pytest.fail("it was sent"))
    with running_with(ca, certs.issue_server(ca, ["orion.local"]), disk=16) as engine:
        engine.client(engine.directory, certs.issue_client(ca, "test"))
        register(store, "orion", sshd, engine=engine)
        done = machinectl("push", *dry_run, "--from-file", archive, "app:1", "orion", store=store.root)
    assert done.returncode == 1
    cause, hint = done.stderr.splitlines()[-2:]
    peer = engine.url.removeprefix("tcp://")
    assert re.fullmatch(rf"Error: The image needs 21MB, and the disk of the engine at {peer} has 16\.\d+MB free", cause)
    assert hint == f"  See how full its disk is: machinectl ssh orion df -h {engine.socket.parent}/disk/data"


@pytest.mark.usefixtures("image_machines")
def test_a_small_image_costs_no_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "app.tar"
    archive.write_bytes(saved({"app:1": Made([unique_layer()])}))
    monkeypatch.setattr(push, "free_bytes", lambda *_: pytest.fail("its host was asked"))
    assert machinectl("push", "--from-file", archive, "app:1", "--all").returncode == 0


def test_the_command_works_in_any_shell_and_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target_disk, "CONTAINERD", str(tmp_path))
    classic = Known(False, "", host=os.uname().nodename, root_directory=str(tmp_path))
    for known, shell in itertools.product([classic, replace(classic, by_containerd=True)], SHELLS):
        need(shell)
        done = subprocess.run([shell, "-c", disk_command(known)], capture_output=True, text=True, check=False)
        host, *lines = done.stdout.splitlines()
        assert (host, done.stderr) == (known.host, "")
        assert all(BLOCKS.fullmatch(line) for line in lines)
        assert len(lines) == 1 + known.by_containerd


@pytest.mark.parametrize(
    ("known", "said", "free"),
    [
        (CLASSIC, "orion\next2/ext3 4096 1000\n", 4_096_000),
        (CLASSIC, "orion\nxfs 4096 0\n", 0),
        # Its images may be on either disk.
        (CONTAINERD, "orion\nxfs 4096 10\nxfs 1024 1000\n", 1_024_000),
        (CONTAINERD, "orion\nxfs 4096 10\nxfs 1024 1000\nroot = '/srv'\n", None),
        # It compresses what it keeps.
        (CONTAINERD, "orion\nbtrfs 4096 10\nxfs 1024 1000\n", None),
        # The engine is in a container, or on another host behind this one.
        (CLASSIC, "rigel\nxfs 4096 1000\n", None),
        (CLASSIC, "orion\n", None),
        (CLASSIC, "", None),
        (CLASSIC, "orion\nxfs 4096 10 \x1b[31m\n", None),
        (CLASSIC, f"orion\nxfs 4096 {'9' * 40}\n", None),
    ],
)
def test_what_is_not_certain_is_no_answer(known: Known, said: str, free: int | None) -> None:
    assert parse_free(said, known) == free


def test_a_host_that_cannot_be_asked_is_silent(
    store: Store, sshd: Sshd, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    added(store, Machine("plain", "none", url="tcp://127.0.0.1:1", phase=Phase.READY))
    register(store, "slow", sshd)
    monkeypatch.setattr(target_disk, "PATIENCE", 0.01)
    assert [free_bytes(store, name, CLASSIC) for name in ("plain", "slow", "nobody")] == [None] * 3
    assert capfd.readouterr() == ("", "")


def test_neither_the_host_nor_its_jump_host_may_ask(store: Store, sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    register(store, "orion", sshd)
    with store.writing("orion") as held:
        held.machine.jump = "host:joe@gate"
        held.write()
    commands: list[list[str]] = []
    monkeypatch.setattr(target_disk, "query_program", lambda command, _: commands.append(command))
    assert free_bytes(store, "orion", CLASSIC) is None
    [words] = commands
    assert "BatchMode=yes" in words
    assert ["BatchMode=yes" in word for word in words if word.startswith("ProxyCommand=")] == [True]


def test_a_directory_that_a_shell_could_take_for_a_command_reaches_no_host(
    store: Store, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(store, "orion", sshd)
    monkeypatch.setattr(target_disk, "query_program", lambda *_: pytest.fail("it was sent"))
    for directory in ("/x; reboot", "/x\\'; reboot; '", "/x\n", "$(reboot)", ""):
        assert free_bytes(store, "orion", replace(CLASSIC, root_directory=directory)) is None
