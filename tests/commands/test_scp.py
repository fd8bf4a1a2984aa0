"""`machinectl scp` with a real sshd: what arrives, what it is told of the host, and how it ends."""

from __future__ import annotations

import itertools
import os
import pty
import select
import shlex
import signal
import stat
import subprocess
import sys
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import pytest

from machinectl.cli.options.ending_signals import exiting_on_signals
from machinectl.errors import NO_HINT
from machinectl.hosts import sftp_copy
from machinectl.hosts.copy_paths import parse_machine_path
from machinectl.hosts.login import Login
from machinectl.hosts.openssh_programs import LONGEST_LINE, MOST_KEPT, SSHFiles, run_ssh_program
from machinectl.hosts.sftp_copy import FileCopier, copy_by_sftp, explain_sftp_failure
from machinectl.machines.record import Machine
from machinectl.ssh.native.sftp_files import LocalFiles
from machinectl.ssh.openssh.copy_commands import CopyOptions
from machinectl.ssh.ssh_errors import SSHError
from tests.support.hostile_ssh import MEASURED
from tests.support.in_process import machinectl
from tests.support.program import COMMAND, run_code, started
from tests.support.quiet import Quiet
from tests.support.real import need
from tests.support.registered import added, register
from tests.support.sshd import keygen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from machinectl.machines.store import Store
    from tests.support.sshd import Sshd

# The configuration of whoever runs the tests is not read.
pytestmark = pytest.mark.usefixtures("ssh_config")

# The system's scp, and our own SFTP.
WAYS = [(), ("--native-ssh",)]
NO_FILES = SSHFiles("", "ssh", "/nowhere")
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


# rsync goes by the system's ssh alone.
@pytest.mark.parametrize(("way", "delta"), [*((way, ()) for way in WAYS), ((), ("-d",))])
def test_a_host_with_another_key_than_the_pinned_one_gets_nothing_and_the_error_says_what_accepts_it(
    orion: Store, sshd: Sshd, tmp_path: Path, way: tuple[str, ...], delta: tuple[str, ...]
) -> None:
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


def test_a_copy_does_not_wait_for_other_work_if_the_key_is_known(orion: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a text\n")
    # As a `provision` of many minutes would hold it.
    with orion.writing("orion"):
        for words in (["scp", tmp_path / "file", f"orion:{tmp_path}/there"], ["ssh", "orion", "true"]):
            done = machinectl("--native-ssh", *words, store=orion.root)
            assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "there").read_text() == "a text\n"


def test_a_file_that_is_there_is_replaced_and_stays_what_it_is_otherwise(orion: Store, tmp_path: Path) -> None:
    (tmp_path / "new").write_text("new\n")
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old\n")
    target.chmod(0o604)
    link.symlink_to("target")
    if os.geteuid() == 0:
        os.chown(target, 1, 2)
    before = target.stat()
    done = machinectl("--native-ssh", "scp", tmp_path / "new", f"orion:{link}", store=orion.root)
    assert (done.returncode, done.stderr) == (0, "")
    after = target.stat()
    assert (target.read_text(), link.is_symlink()) == ("new\n", True)
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


def test_where_to_look_for_a_full_disk_is_one_word_to_both_shells(orion: Store) -> None:
    for word, shells in (("orion:/my data", 2), ("./my data", 1)):
        console = Quiet()
        explain_sftp_failure("my data: Failure", parse_machine_path(orion, word), console)
        words = console.notes[0].partition("See: ")[2]
        for _ in range(shells):
            [*_, words] = shlex.split(words)
        assert words == parse_machine_path(orion, word).path


def test_links_in_a_circle_come_to_an_end(orion: Store, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "up").symlink_to("..")
    (tmp_path / "here" / "dangling").symlink_to("nowhere")
    done = machinectl("--native-ssh", "scp", "-r", tmp_path / "here" / "dangling", "orion:x", store=orion.root)
    assert done.returncode == 1
    assert "dangling to x: No such file or directory" in done.stderr
    failures: list[str] = []
    copier = FileCopier(LocalFiles(), LocalFiles(), CopyOptions(recursive=True), failures.append)
    (tmp_path / "loop").mkdir()
    (tmp_path / "loop" / "self").symlink_to(".")
    copier.copy(str(tmp_path / "loop"), str(tmp_path / "there"))
    assert len(failures) == 1


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


def test_a_directory_without_r_is_one_line_and_no_success(orion: Store, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    for way, flags in ((("--native-ssh",), ()), ((), ()), ((), ("-d",))):
        done = machinectl(*way, "scp", *flags, tmp_path / "here", f"orion:{tmp_path}/there", store=orion.root)
        assert done.returncode == 1
        assert not (tmp_path / "there").exists()


@pytest.mark.parametrize("target", ["dir/file", "dir", "dir/", "./dir/../dir//file"])
def test_what_is_on_a_machine_is_not_copied_over_itself(orion: Store, tmp_path: Path, target: str) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir" / "file").write_text("a text\n")
    done = machinectl("scp", f"orion:{tmp_path}/dir/file", f"orion:{tmp_path}/{target}", store=orion.root)
    assert (done.returncode, "are the same" in done.stderr) == (2, True)
    assert (tmp_path / "dir" / "file").read_text() == "a text\n"


def test_rsync_between_two_machines_is_refused_with_what_does_it(orion: Store, another_sshd: Sshd) -> None:
    register(orion, "rigel", another_sshd)
    done = machinectl("scp", "-d", "orion:a", "rigel:b", store=orion.root)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, "  Without -d, scp copies between any of them")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("a", "b"), "No path is on a machine"),
        (("a",), "machinectl scp a <NAME>:<PATH>"),
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


def test_a_file_here_whose_name_looks_like_a_machines_is_told_how_to_write_it(orion: Store, tmp_path: Path) -> None:
    (tmp_path / "a:b").touch()
    done = machinectl("scp", "a:b", "orion:", store=orion.root, cwd=tmp_path)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, "  If you mean the local file: ./a:b")


def test_a_host_that_is_not_there_ends_as_ssh_does(orion: Store, sshd: Sshd, tmp_path: Path) -> None:
    sshd.close()
    (tmp_path / "file").touch()
    for way in WAYS:
        assert machinectl(*way, "scp", tmp_path / "file", "orion:", store=orion.root).returncode == 255
    done = machinectl("scp", tmp_path / "file", "orion:", store=orion.root)
    assert f"Error: 127.0.0.1 port {sshd.port} refuses the connection" in done.stderr
    assert "  See why: machinectl doctor orion; " in done.stderr


def test_our_own_copy_that_breaks_or_is_interrupted_is_told_and_leaves_nothing(
    orion: Store, sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "big").touch()
    there = tmp_path / "there"
    there.mkdir()
    places = [parse_machine_path(orion, word) for word in (str(tmp_path / "big"), f"orion:{there}")]
    # Also on a busy computer.
    monkeypatch.setattr(sftp_copy, "PATIENCE", 60.0)
    interrupt = partial(os.kill, os.getpid(), signal.SIGINT)
    for harm, error in ((interrupt, KeyboardInterrupt), (sshd.disconnect, SSHError)):

        def read(*_: object, harm: Callable[[], object] = harm) -> Iterator[bytes]:
            yield b"x" * (1 << 20)
            harm()
            yield from itertools.repeat(b"x" * (1 << 20))

        monkeypatch.setattr(LocalFiles, "read", read)
        with pytest.raises(error):
            copy_by_sftp(orion, Quiet(), places[:1], places[1], CopyOptions(), Login())
        if harm is interrupt:
            assert list(there.iterdir()) == []
        assert not (there / "big").exists()


def test_a_server_that_names_files_outside_of_the_directory_is_not_obeyed(
    orion: Store, sshd: Sshd, tmp_path: Path
) -> None:
    """A stand-in: no real server gives such names (CVE-2019-6111)."""
    server = tmp_path / "server.py"
    server.write_text(HOSTILE)
    sshd.configure(f"Subsystem sftp {sys.executable} {server}")
    (tmp_path / "back").mkdir()
    done = machinectl("--native-ssh", "scp", "-r", "orion:dir", tmp_path / "back" / "x", store=orion.root)
    assert (done.returncode, "sends invalid file names" in done.stderr) == (1, True), done.stderr
    assert not (tmp_path / "back" / "evil").exists()


# Answers INIT, STAT (a directory), OPENDIR, READDIR (../evil, then the end) and CLOSE (draft-ietf-secsh-filexfer-02).
HOSTILE = """
import struct, sys
def send(kind, body):
    data = bytes([kind]) + body
    sys.stdout.buffer.write(struct.pack(">I", len(data)) + data); sys.stdout.buffer.flush()
def text(value): return struct.pack(">I", len(value)) + value
directory = struct.pack(">II", 4, 0o040755)
read = sys.stdin.buffer.read
listed = False
while head := read(4):
    data = read(struct.unpack(">I", head)[0])
    kind, number = data[0], data[1:5]
    if kind == 1: send(2, struct.pack(">I", 3))
    elif kind in (7, 17): send(105, number + directory)
    elif kind == 11: send(102, number + text(b"h"))
    elif kind == 12 and not listed:
        listed = True
        send(104, number + struct.pack(">I", 1) + text(b"../evil") + text(b"../evil") + struct.pack(">II", 4, 0o100644))
    elif kind == 12: send(101, number + struct.pack(">I", 1) + text(b"end") + text(b""))
    else: send(101, number + struct.pack(">I", 0) + text(b"") + text(b""))
"""


@pytest.mark.parametrize("way", WAYS)
def test_nobodys_file_has_the_copy_run_as_who_copies_it(orion: Store, tmp_path: Path, way: tuple[str, ...]) -> None:
    there = tmp_path / "there"
    there.mkdir()
    (there / "program").write_text("#!/bin/sh\n")
    (there / "program").chmod(0o6755)
    there.chmod(0o2755)
    done = machinectl(*way, "scp", "-rpq", f"orion:{there}", tmp_path / "back", store=orion.root)
    assert (done.returncode, done.stderr) == (0, "")
    assert [stat.S_IMODE((tmp_path / "back" / part).stat().st_mode) for part in ("", "program")] == [0o755, 0o755]


def test_a_size_that_is_only_claimed_takes_no_memory(orion: Store, sshd: Sshd, tmp_path: Path) -> None:
    """A stand-in: no real server claims 4 EB; a file that is mostly hole comes near."""
    server = tmp_path / "server.py"
    server.write_text(CLAIMING)
    sshd.configure(f"Subsystem sftp {sys.executable} {server}")
    words = [*COMMAND, "-s", orion.root, "--native-ssh", "scp", "orion:file", str(tmp_path / "back")]
    # In KB; what paramiko and its libraries map is a fifth of that.
    done = subprocess.run(
        ["sh", "-c", f"ulimit -v {2 << 20}; exec {shlex.join(words)}"], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "back").read_bytes() == b"a text\n"


# Answers INIT, STAT and FSTAT (a file of 4 EB), OPEN, READ (a few bytes, then the end) and CLOSE.
CLAIMING = """
import struct, sys
def send(kind, body):
    data = bytes([kind]) + body
    sys.stdout.buffer.write(struct.pack(">I", len(data)) + data); sys.stdout.buffer.flush()
def text(value): return struct.pack(">I", len(value)) + value
file = struct.pack(">IQI", 5, 1 << 62, 0o100644)
read = sys.stdin.buffer.read
while head := read(4):
    data = read(struct.unpack(">I", head)[0])
    kind, number = data[0], data[1:5]
    if kind == 1: send(2, struct.pack(">I", 3))
    elif kind in (7, 8, 17): send(105, number + file)
    elif kind == 3: send(102, number + text(b"h"))
    elif kind == 5 and data[-12:-4] == bytes(8): send(103, number + text(b"a text\\n"))
    elif kind == 5: send(101, number + struct.pack(">I", 1) + text(b"end") + text(b""))
    else: send(101, number + struct.pack(">I", 0) + text(b"") + text(b""))
"""


def test_a_download_is_never_in_memory(orion: Store, tmp_path: Path) -> None:
    with (tmp_path / "big").open("wb") as file:
        file.truncate(128 << 20)
    words = ["--native-ssh", "scp", "-q", f"orion:{tmp_path}/big", str(tmp_path / "back")]
    done = run_code(MEASURED, *words, environment={"MACHINE_STORAGE_PATH": orion.root}, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "back").stat().st_size == 128 << 20
    assert int((tmp_path / "memory").read_text()) < 64 << 10


def test_an_impossible_local_path_is_an_error_of_one_line(orion: Store, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a text\n")
    (tmp_path / "b").write_text("a text\n")
    (tmp_path / "loop").symlink_to("loop")
    for target, why in (
        (tmp_path / "loop", "Too many levels of symbolic links"),
        (tmp_path / "loop" / "x", "Too many levels of symbolic links"),
        (tmp_path / ("x" * 300), "File name too long"),
        (tmp_path / "a" / "x", "Not a directory"),
        (tmp_path / "none" / "x", "No such file or directory"),
        ("/dev/full", "No space left on device"),
    ):
        for names in (["a"], ["a", "b"]):
            console = Quiet()
            words = [*(f"orion:{tmp_path}/{name}" for name in names), str(target)]
            *sources, place_here = [parse_machine_path(orion, word) for word in words]
            assert copy_by_sftp(orion, console, sources, place_here, CopyOptions(), Login()) == 1
            assert len(console.said) == 1
            assert why in console.said[0] or (names[1:] and "is not a directory" in console.said[0])


def test_output_of_a_start_up_file_before_sftp_is_explained(orion: Store, sshd: Sshd, tmp_path: Path) -> None:
    sshd.configure("Subsystem sftp echo Welcome to this host")
    done = machinectl("--native-ssh", "scp", "orion:file", tmp_path, store=orion.root)
    assert done.returncode == 255
    cause, hint = done.stderr.splitlines()
    assert "does not speak SFTP" in cause
    assert f"a start-up file of the shell must not print: ssh -p {sshd.port}" in hint


class OnTerminal:
    """A machinectl on a terminal, of which all that is shown is kept."""

    def __init__(self, *words: str | Path, store: Store) -> None:
        self._terminal, theirs = pty.openpty()
        self.process = started(
            *words,
            store=store.root,
            environment={"TERM": "xterm"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.shown = ""

    def until(self, text: str) -> None:
        while text not in self.shown:
            assert select.select([self._terminal], [], [], 30)[0], self.shown
            self.shown += os.read(self._terminal, 1 << 16).decode(errors="replace")

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def end(self) -> int:
        with suppress(OSError):  # Linux: EIO, once all that is shown was read
            while piece := os.read(self._terminal, 1 << 16):
                self.shown += piece.decode(errors="replace")
        os.close(self._terminal)
        return self.process.wait()


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
    terminal = OnTerminal("scp", tmp_path / "big", f"orion:{there}", store=orion)
    terminal.until("MB/s")
    if number == signal.SIGINT:
        terminal.type("\x03")
    else:
        terminal.process.send_signal(number)
    assert terminal.end() == 128 + number, terminal.shown
    assert "Traceback" not in terminal.shown
    assert list(temporary.iterdir()) == []


def test_a_temporary_directory_where_others_could_put_another_configuration_is_refused(
    orion: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("a text\n")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    for mode, status in ((0o777, 1), (0o1777, 0)):
        temporary.chmod(mode)
        done = machinectl("scp", tmp_path / "file", f"orion:{tmp_path}/copy", store=orion.root)
        assert done.returncode == status, done.stderr
        assert (tmp_path / "copy").exists() == (status == 0)
        if status:
            cause, hint = done.stderr.splitlines()
            assert cause == f"Error: {temporary} is not safe for temporary files: everybody may write to it"
            assert f"chmod go-w {temporary}" in hint
    assert list(temporary.iterdir()) == []


def test_a_signal_for_us_alone_ends_the_program_as_well() -> None:
    """A stand-in for scp, which cannot be told when it has begun."""

    class Told(Quiet):
        def note(self, text: str, hint: str = NO_HINT) -> None:
            super().note(text, hint)
            os.kill(os.getpid(), signal.SIGTERM)

    console = Told()
    program = "import os, signal, sys; print(os.getpid(), file=sys.stderr, flush=True); signal.pause()"
    with pytest.raises(SystemExit), exiting_on_signals():
        run_ssh_program([sys.executable, "-c", program], NO_FILES, [], console, Login())
    with pytest.raises(ProcessLookupError):
        os.kill(int(console.notes[0]), 0)


def test_of_what_a_host_says_without_end_little_is_kept() -> None:
    """A stand-in for an ssh that passes on what its host says."""
    console = Quiet()
    said = "'x' * (1 << 20) + '\\n' + 'y\\n' * 5000"
    ended = run_ssh_program([sys.executable, "-c", f"import sys; sys.exit({said})"], NO_FILES, [], console, Login())
    assert (ended.status, ended.said.count("\n")) == (1, MOST_KEPT - 1)
    assert max(map(len, console.notes)) == LONGEST_LINE


def test_with_q_nothing_is_shown_on_a_terminal(orion: Store, tmp_path: Path) -> None:
    need("rsync")
    (tmp_path / "file").write_text("a text\n")
    for words in (["scp", "-q"], ["scp", "-q", "-d"], ["--native-ssh", "scp", "-q"]):
        terminal = OnTerminal(*words, tmp_path / "file", f"orion:{tmp_path}/x", store=orion)
        assert (terminal.end(), terminal.shown) == (0, "")


def test_a_missing_local_file_is_named_as_it_was_typed(orion: Store, tmp_path: Path) -> None:
    done = machinectl("scp", "nofile", "orion:", store=orion.root, cwd=tmp_path)
    assert done.returncode
    assert "nofile" in done.stderr
    assert "./nofile" not in done.stderr
