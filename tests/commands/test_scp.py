"""`machinectl scp` with a real sshd: what arrives, what it is told of the host, and how it ends."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support.program import machinectl
from tests.support.real import need
from tests.support.registered import register
from tests.support.sshd import keygen

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.machines.store import Store
    from tests.support.sshd import Sshd

# The configuration of whoever runs the tests is not read.
pytestmark = pytest.mark.usefixtures("ssh_config")

# The system's scp, and our own SFTP.
WAYS = [(), ("--native-ssh",)]
# Blanks, quotes, what a shell would read, a pattern's letters, other scripts.
NAMES = [
    "plain",
    "with blank",
    "a 'quote' \"double\"",
    "$(touch oops)`;&",
    "ünï-日本 ✓",
    "-r",
    "a[1]*?.txt",
    "a:b",
    "~x",
]


@pytest.fixture
def orion(store: Store, sshd: Sshd) -> Store:
    register(store, "orion", sshd)
    return store


def tree(top: Path) -> Path:
    """A directory with what is awkward to copy."""
    (top / "sub" / "empty").mkdir(parents=True)
    for number, name in enumerate(NAMES):
        (top / "sub" / name).write_text(f"file {number}\n")
    (top / "big").write_bytes(os.urandom(300_000))
    (top / "none").touch()
    (top / "script").write_text("#!/bin/sh\n")
    (top / "script").chmod(0o750)
    os.utime(top / "script", (1_000_000_000, 1_100_000_000))
    (top / "link").symlink_to("script")
    (top / "linked").symlink_to("sub")
    return top


def contents(top: Path, *, follow: bool = True) -> dict[str, bytes | None]:
    """All files below a directory with what they hold, and its directories."""
    found: dict[str, bytes | None] = {}
    for directory, _, files in os.walk(top, followlinks=follow):
        found[os.path.relpath(directory, top)] = None
        for name in files:
            with open(os.path.join(directory, name), "rb") as file:
                found[os.path.relpath(file.name, top)] = file.read()
    return found


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NAMES)
def test_a_file_goes_there_and_comes_back_whatever_it_is_called(
    orion: Store, tmp_path: Path, name: str, way: tuple[str, ...]
) -> None:
    here, there, back = (tmp_path / part for part in ("here", "there", "back"))
    for directory in (here, there, back):
        directory.mkdir()
    (here / name).write_text("a text\n")
    source = "./a:b" if name == "a:b" else name
    done = machinectl(*way, "scp", "--", source, f"orion:{there}/{name}", store=orion.root, cwd=here)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [path.name for path in there.iterdir()] == [name]
    done = machinectl(*way, "scp", f"orion:{there}/{name}", "localhost:", store=orion.root, cwd=back)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (back / name).read_text() == "a text\n"
    assert not any((part / "oops").exists() for part in (here, there, back))


@pytest.mark.parametrize("way", WAYS)
def test_a_directory_goes_there_and_back_with_links_followed_and_modes_and_times_where_they_are_asked_for(
    orion: Store, tmp_path: Path, way: tuple[str, ...]
) -> None:
    here = tree(tmp_path / "here")
    for wishes, kept in (("-rq", False), ("-rpq", True)):
        there, back = tmp_path / f"there{kept}", tmp_path / f"back{kept}"
        done = machinectl(*way, "scp", wishes, here, f"orion:{there}", store=orion.root)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        done = machinectl(*way, "scp", wishes, f"orion:{there}", back, store=orion.root)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert contents(here) == contents(there) == contents(back)
        assert not (back / "link").is_symlink()
        assert (back / "script").stat().st_mode & 0o777 == 0o750
        assert ((back / "script").stat().st_mtime == 1_100_000_000) is kept
        # A directory that is there gets it within.
        machinectl(*way, "scp", wishes, here, f"orion:{there}", store=orion.root)
        assert (there / "here" / "sub").is_dir()


@pytest.mark.parametrize("way", WAYS)
def test_from_machine_to_machine_all_goes_through_here(
    orion: Store, another_sshd: Sshd, tmp_path: Path, way: tuple[str, ...]
) -> None:
    register(orion, "rigel", another_sshd)
    source, target = tree(tmp_path / "source"), tmp_path / "target"
    done = machinectl(*way, "scp", "-rp", f"orion:{source}", f"rigel:{target}", store=orion.root)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert contents(source) == contents(target)
    assert "sftp" in another_sshd.log


def test_rsync_keeps_links_and_sends_what_has_changed(orion: Store, tmp_path: Path) -> None:
    need("rsync")
    here, there, back = tree(tmp_path / "here"), tmp_path / "there", tmp_path / "back"
    for source, target in ((f"{here}/", f"orion:{there}"), (f"orion:{there}/", str(back))):
        done = machinectl("scp", "-d", "-r", source, target, store=orion.root)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert contents(here, follow=False) == contents(back, follow=False)
    assert os.readlink(back / "link") == "script"
    assert (back / "script").stat().st_mtime == 1_100_000_000
    (here / "none").write_text("now there is\n")
    inode = (there / "big").stat().st_ino
    assert machinectl("scp", "-dr", f"{here}/", f"orion:{there}", store=orion.root).returncode == 0
    assert (there / "none").read_text() == "now there is\n"
    assert (there / "big").stat().st_ino == inode


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("delta", [(), ("-d",)])
def test_a_host_with_another_key_than_the_pinned_one_gets_nothing_and_the_error_says_what_accepts_it(
    orion: Store, sshd: Sshd, tmp_path: Path, way: tuple[str, ...], delta: tuple[str, ...]
) -> None:
    if way and delta:
        pytest.skip("rsync goes by the system's ssh")
    need("rsync")
    sshd.host_keys = [keygen(sshd.directory / "another_host_key")]
    (tmp_path / "file").write_text("secret")
    done = machinectl(*way, "scp", *delta, tmp_path / "file", f"orion:{tmp_path}/there", store=orion.root)
    assert done.returncode == 255
    assert "The host key of" in done.stderr
    assert "machinectl provision orion --ssh-host-key " + sshd.fingerprint() in done.stderr
    assert "@@@" not in done.stderr
    assert not (tmp_path / "there").exists()


@pytest.fixture
def no_ssh(tmp_path: Path) -> dict[str, str]:
    """An environment in which there is neither ssh nor scp."""
    (tmp_path / "empty").mkdir()
    return {"PATH": str(tmp_path / "empty")}


def test_a_computer_without_ssh_copies_all_the_same(orion: Store, tmp_path: Path, no_ssh: dict[str, str]) -> None:
    (tmp_path / "file").write_text("a text\n")
    done = machinectl("scp", tmp_path / "file", f"orion:{tmp_path}/there", store=orion.root, environment=no_ssh)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "there").read_text() == "a text\n"
