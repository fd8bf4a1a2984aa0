"""`machinectl mount` with a real sshd and, where the kernel lets it, a real sshfs."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from machinectl.errors import MachineError
from machinectl.hosts.remote_files import check_mount_point
from tests.support.in_process import machinectl
from tests.support.real import need
from tests.support.registered import register
from tests.support.sshd import keygen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from machinectl.machines.store import Store
    from tests.support.sshd import Sshd

# The configuration of whoever runs the tests is not read.
pytestmark = pytest.mark.usefixtures("ssh_config")


@pytest.fixture
def orion(store: Store, sshd: Sshd) -> Store:
    register(store, "orion", sshd)
    return store


@pytest.fixture
def mounting(tmp_path: Path) -> Iterator[Path]:
    """An empty directory that is no mount point in the end; there, and here, FUSE works."""
    need("sshfs", "fusermount3", root=True)
    if not os.path.exists("/dev/fuse"):
        pytest.skip("needs /dev/fuse")
    directory = tmp_path / "mounted here"
    directory.mkdir()
    yield directory
    machinectl("mount", "-u", directory)


def test_a_directory_of_a_host_is_mounted_until_that_is_ended(orion: Store, tmp_path: Path, mounting: Path) -> None:
    there = tmp_path / "ünï ✓ dir"
    there.mkdir()
    (there / "file").write_text("a text\n")
    done = machinectl("mount", f"orion:{there}", mounting.name, store=orion.root, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (mounting / "file").read_text() == "a text\n"
    (mounting / "back").write_text("from here\n")
    assert (there / "back").read_text() == "from here\n"
    listed = machinectl("mount", "--json", store=orion.root)
    # Others may have mounted something on this computer, too.
    assert {"Source": f"orion:{there}", "Directory": str(mounting)} in json.loads(listed.stdout)
    again = machinectl("mount", f"orion:{there}", mounting, store=orion.root)
    assert again.returncode == 1
    assert f"machinectl mount -u '{mounting}'" in again.stderr
    done = machinectl("mount", "-u", f"orion:{there}", mounting, store=orion.root)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(mounting.iterdir()) == []
    done = machinectl("mount", "-u", mounting, store=orion.root)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: Cannot unmount {mounting}: ")
    assert "List what is mounted: machinectl mount" in done.stderr


@pytest.mark.parametrize("verb", [("mount", "-u"), ("umount",), ("unmount",)])
def test_unmounting_without_a_directory_says_what_to_type(store: Store, verb: tuple[str, ...]) -> None:
    done = machinectl(*verb, store=store.root)
    assert (done.returncode, done.stdout) == (2, "")
    assert "machinectl mount -u" in done.stderr
    assert "NAME:PATH" not in done.stderr


def test_without_a_target_it_is_the_directory_of_the_same_path(orion: Store) -> None:
    need("sshfs")
    done = machinectl("mount", "orion:/nowhere/at/all", store=orion.root)
    assert done.returncode == 1
    assert "/nowhere/at/all is not an empty directory here\n  Create one: mkdir -p /nowhere/at/all; " in done.stderr


@pytest.mark.parametrize("here", ["/", "/etc", "/usr", "/usr/bin", "/lib", "/var", "/usr/lib/.."])
def test_a_directory_with_files_is_never_mounted_on(here: str, tmp_path: Path) -> None:
    # Never by the verb: if that failed to refuse, this computer would be lost.
    with pytest.raises(MachineError, match=r"is not an empty directory|already mounted on"):
        check_mount_point(here, "orion:/srv")
    (tmp_path / "own").symlink_to(here)
    with pytest.raises(MachineError, match="is not an empty directory here") as refused:
        check_mount_point(str(tmp_path), "orion:/srv")
    see = f"See: ls -la {tmp_path}; or name another one: machinectl mount orion:/srv <DIR>"
    assert refused.value.hint == see


def test_a_computer_without_sshfs_is_told_its_package(orion: Store, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = machinectl(
        "mount", "orion:/srv", tmp_path / "empty", store=orion.root, environment={"PATH": str(tmp_path / "empty")}
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "  Install the package sshfs; on Fedora and RHEL fuse-sshfs; on macOS macFUSE and sshfs"
    )


def test_a_host_whose_key_has_changed_is_not_mounted(orion: Store, sshd: Sshd, mounting: Path) -> None:
    sshd.host_keys = [keygen(sshd.directory / "another_host_key")]
    done = machinectl("mount", "orion:/srv", mounting, store=orion.root)
    assert done.returncode == 255
    assert "machinectl provision orion --ssh-host-key" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["orion:"], "names no directory to mount on"),
        (["/srv", "www"], "machinectl mount <NAME>:<PATH> <DIR>"),
        (["localhost:/srv", "www"], "is not a path on a machine"),
        (["ghost:/srv", "www"], 'Docker machine "ghost" does not exist'),
    ],
)
def test_what_is_on_no_machine_is_not_mounted(orion: Store, words: list[str], said: str) -> None:
    done = machinectl("mount", *words, store=orion.root)
    assert done.returncode in {1, 2}
    assert said in done.stderr


def test_where_fuse_does_not_work_sshfs_own_reason_is_given(orion: Store, tmp_path: Path) -> None:
    """A stand-in: this kernel has FUSE."""
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "sshfs").write_text("#!/bin/sh\necho 'fuse: device not found, try modprobe fuse first' >&2\nexit 1\n")
    (fake / "sshfs").chmod(0o755)
    shutil.copy(str(shutil.which("ssh")), fake / "ssh")
    path = f"{fake}:{os.environ['PATH']}"
    (tmp_path / "empty").mkdir()
    done = machinectl("mount", "orion:/srv", tmp_path / "empty", store=orion.root, environment={"PATH": path})
    assert done.returncode == 1
    assert "sshfs cannot mount orion:/srv" in done.stderr
    assert "try modprobe fuse first" in done.stderr.splitlines()[-2]
    assert done.stderr.count("modprobe fuse") == 1
