"""`machinectl scp` with a real sshd: what arrives, what it is told of the host, and how it ends."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from machinectl.cli.ending_signals import exiting_on_signals
from machinectl.hosts import remote_files
from machinectl.hosts.login import Login
from machinectl.hosts.openssh_programs import SSHFiles, run_ssh_program
from machinectl.machines.record import Machine
from tests.support.in_process import machinectl
from tests.support.program import at_terminal, everything, typed_at_terminal
from tests.support.quiet import Quiet
from tests.support.real import need
from tests.support.registered import added, register
from tests.support.sshd import keygen

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.machines.store import Store
    from tests.support.sshd import Sshd

# The configuration of whoever runs the tests is not read.
pytestmark = pytest.mark.usefixtures("ssh_config")

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


@pytest.fixture(params=["new", "old"])
def scp(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The scp of today, and one below 8.7: a shell on the host reads the path."""
    if request.param == "old":
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "scp").write_text(f'#!/bin/sh\nexec {shutil.which("scp")} -O "$@"\n')
        (tmp_path / "bin" / "scp").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
        monkeypatch.setattr(remote_files, "OLD_OPENSSH", b"OpenSSH")


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


@pytest.mark.usefixtures("scp")
def test_files_go_there_and_come_back_whatever_they_are_called(orion: Store, tmp_path: Path) -> None:
    here, there, back = (tmp_path / part for part in ("here", "there", "back"))
    for directory in (here, there, back):
        directory.mkdir()
    for name in NAMES:
        (here / name).write_text(name)
    sources = ["./a:b" if name == "a:b" else name for name in NAMES]
    done = machinectl("scp", "--", *sources, f"orion:{there}", store=orion.root, cwd=here)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = machinectl("scp", *(f"orion:{there}/{name}" for name in NAMES), "localhost:", store=orion.root, cwd=back)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert {path.name: path.read_text() for path in back.iterdir()} == {name: name for name in NAMES}
    assert not any((part / "oops").exists() for part in (here, there, back))


@pytest.mark.usefixtures("scp")
def test_a_directory_goes_there_and_back_with_links_followed_and_modes_and_times_where_they_are_asked_for(
    orion: Store, tmp_path: Path
) -> None:
    here = tree(tmp_path / "here")
    for wishes, kept in (("-rq", False), ("-rpq", True)):
        there, back = tmp_path / f"there{kept}", tmp_path / f"back{kept}"
        done = machinectl("scp", wishes, here, f"orion:{there}", store=orion.root)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        done = machinectl("scp", wishes, f"orion:{there}", back, store=orion.root)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert contents(here) == contents(there) == contents(back)
        assert not (back / "link").is_symlink()
        assert (back / "script").stat().st_mode & 0o777 == 0o750
        assert ((back / "script").stat().st_mtime == 1_100_000_000) is kept
        # A directory that is there gets it within.
        machinectl("scp", wishes, here, f"orion:{there}", store=orion.root)
        assert (there / "here" / "sub").is_dir()


@pytest.mark.usefixtures("scp")
def test_from_machine_to_machine_all_goes_through_here(orion: Store, another_sshd: Sshd, tmp_path: Path) -> None:
    register(orion, "rigel", another_sshd)
    source, target = tree(tmp_path / "source"), tmp_path / "target"
    done = machinectl("scp", "-rp", f"orion:{source}", f"rigel:{target}", store=orion.root)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert contents(source) == contents(target)
    assert "Accepted publickey" in another_sshd.log


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


@pytest.mark.parametrize("flags", [(), ("-d",), ("-q",)])
def test_a_host_with_another_key_than_the_pinned_one_gets_nothing_and_the_error_says_what_accepts_it(
    orion: Store, sshd: Sshd, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    need("rsync")
    sshd.host_keys = [keygen(sshd.directory / "another_host_key")]
    (tmp_path / "file").write_text("secret")
    done = machinectl("scp", *flags, tmp_path / "file", f"orion:{tmp_path}/there", store=orion.root)
    assert done.returncode == 255
    assert "The host key of" in done.stderr
    assert "machinectl provision orion --ssh-host-key " + sshd.fingerprint() in done.stderr
    assert "@@@" not in done.stderr
    assert not (tmp_path / "there").exists()


def test_a_computer_without_scp_says_so(orion: Store, tmp_path: Path, no_ssh: dict[str, str]) -> None:
    done = machinectl("scp", tmp_path / "file", "orion:there", store=orion.root, environment=no_ssh)
    assert done.returncode == 1
    assert done.stderr == "Error: scp is not installed on this computer\n  Install the OpenSSH client\n"


def test_a_password_goes_to_the_systems_ssh_alone(orion: Store, tmp_path: Path) -> None:
    given = {"MACHINECTL_SSH_PASSWORD": "geheim"}
    done = machinectl("--native-ssh", "scp", tmp_path / "file", "orion:", store=orion.root, environment=given)
    assert (done.returncode, "leave out --native-ssh" in done.stderr) == (255, True)


def test_a_copy_does_not_wait_for_other_work_if_the_key_is_known(orion: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a text\n")
    # As a `provision` of many minutes would hold it.
    with orion.writing("orion"):
        for words in (["scp", tmp_path / "file", f"orion:{tmp_path}/there"], ["ssh", "orion", "true"]):
            done = machinectl("--native-ssh", *words, store=orion.root)
            assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "there").read_text() == "a text\n"


def test_a_source_on_a_machine_may_be_a_pattern(orion: Store, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for name in ("a.txt", "b.txt", ".c.txt", "d"):
        (tmp_path / "there" / name).write_text(name)
    back = tmp_path / "back"
    back.mkdir()
    done = machinectl("scp", f"orion:{tmp_path}/there/*.txt", back, store=orion.root)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in back.iterdir()) == ["a.txt", "b.txt"]
    done = machinectl("scp", f"orion:{tmp_path}/there/*.txt", back / "a.txt", store=orion.root)
    assert done.returncode == 1
    assert (back / "a.txt").read_text() == "a.txt"


def test_a_directory_without_r_is_no_success(orion: Store, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    done = machinectl("scp", tmp_path / "here", f"orion:{tmp_path}/there", store=orion.root)
    assert done.returncode == 1
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize("target", ["dir/file", "dir", "dir/", "./dir/../dir//file"])
def test_what_is_on_a_machine_is_not_copied_over_itself(orion: Store, tmp_path: Path, target: str) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir" / "file").write_text("a text\n")
    done = machinectl("scp", f"orion:{tmp_path}/dir/file", f"orion:{tmp_path}/{target}", store=orion.root)
    assert (done.returncode, "are the same" in done.stderr) == (2, True)
    assert (tmp_path / "dir" / "file").read_text() == "a text\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("a", "b"), "No path is on a machine"),
        (("a",), "machinectl scp -- a <NAME>:<PATH>"),
        (("h1:www",), "machinectl scp -- h1:www ."),
        (("localhost:a", "./orion:b"), "No path is on a machine"),
        (("ghost:a", "b"), 'Docker machine "ghost" does not exist'),
        (("a", "-x@orion:b"), "'-x' is not a user's name"),
        (("a", "local:b"), '"local" has no SSH'),
    ],
)
def test_what_cannot_be_meant_is_told(orion: Store, words: tuple[str, ...], said: str) -> None:
    local = Machine("local", "none", url="unix:///x.sock")
    local.driver_state = '{"URL": "unix:///x.sock"}'
    added(orion, local)
    done = machinectl("scp", "--", *words, store=orion.root)
    assert done.returncode in {1, 2}
    assert said in done.stderr


def test_a_host_that_is_not_there_ends_as_ssh_does(orion: Store, sshd: Sshd, tmp_path: Path) -> None:
    sshd.close()
    (tmp_path / "file").touch()
    done = machinectl("scp", tmp_path / "file", "orion:", store=orion.root)
    assert done.returncode == 255
    assert f"Error: 127.0.0.1 port {sshd.port} refuses the connection" in done.stderr
    assert "  See why: machinectl doctor orion; " in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_progress_is_shown_on_a_terminal_and_a_signal_ends_it_with_nothing_left_behind(
    orion: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    with (tmp_path / "big").open("wb") as file:
        file.truncate(16 << 30)
    there, temporary = tmp_path / "there", tmp_path / "temporary"
    there.mkdir()
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    with at_terminal("scp", tmp_path / "big", f"orion:{there}", store=orion.root) as (process, terminal):
        shown = ""
        while "MB/s" not in shown:
            shown += os.read(terminal, 1 << 16).decode()
        if number == signal.SIGINT:
            os.write(terminal, b"\x03")
        else:
            process.send_signal(number)
        shown += everything(terminal)
        assert process.wait() == 128 + number, shown
    assert "Traceback" not in shown
    assert list(temporary.iterdir()) == []


def test_a_signal_for_us_alone_ends_the_program_as_well(tmp_path: Path) -> None:
    """A stand-in for scp, which cannot be told when it has begun."""
    program = (
        "import os, signal, sys; open(sys.argv[1], 'w').write(str(os.getpid())); "
        "os.kill(os.getppid(), signal.SIGTERM); signal.pause()"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "pid")]
    with pytest.raises(SystemExit), exiting_on_signals():
        run_ssh_program(command, SSHFiles("", "ssh", "/nowhere"), Quiet(), Login())
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_with_q_nothing_is_shown_on_a_terminal(orion: Store, tmp_path: Path) -> None:
    need("rsync")
    (tmp_path / "file").write_text("a text\n")
    for words in (["scp", "-q"], ["scp", "-q", "-d"]):
        assert typed_at_terminal(*words, tmp_path / "file", f"orion:{tmp_path}/x", store=orion.root) == ""
    assert (tmp_path / "x").read_text() == "a text\n"
