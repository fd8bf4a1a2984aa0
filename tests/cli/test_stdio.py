"""Work on a machine continues if its output is not read or cannot be written."""

from __future__ import annotations

import fcntl
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from machinectl.cli.catalogue import ALL, WORKS
from machinectl.cli.main import run_command_line
from machinectl.cli.output.exit_status import BUG, guarded
from machinectl.cli.output.stdio import Stream
from machinectl.cli.output.terminal import Terminal
from machinectl.errors import MachineError
from machinectl.hosts.login import Login
from machinectl.machines.record import Machine
from machinectl.swarm.swarm_join import Joining
from machinectl.swarm.swarm_members import Roles
from machinectl.swarm_nodes import draining
from tests.support.program import COMMAND
from tests.support.quiet import Quiet
from tests.support.registered import added
from tests.support.swarm_engines import engines
from tests.support.unread import BROKEN, FULL, KINDS, opened, streams

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.machines.store import Store
    from tests.support.sshd import Sshd

NONE = ("create", "-d", "none", "--url", "tcp://127.0.0.1:1")
# Command lines that change this computer; {port} is the SSH port of a host.
WORK: dict[str, tuple[str, ...]] = {
    "create": (*NONE, "--label", "rack=7", "new"),
    "create, of a host": (
        *("create", "-d", "generic", "--ip-address", "127.0.0.1", "--ssh-port", "{port}"),
        *("--no-provision", "new"),
    ),
    "create, again": (*NONE, "orion"),
    "set": ("set", "--url", "tcp://127.0.0.1:2", "--label", "rack=8", "orion"),
    "rename": ("rename", "orion", "rigel"),
    "rm": ("rm", "-y", "orion", "vega"),
    "rm, of one that is not there": ("rm", "-y", "nobody", "vega"),
    "provision": ("provision", "orion", "vega"),
    "upgrade": ("upgrade", "orion", "vega"),
    "regenerate-certs": ("regenerate-certs", "-y", "orion", "vega"),
    "stop": ("stop", "orion", "vega"),
    "certs create": ("certs", "create", "--out", "made", "--san", "127.0.0.1"),
    "certs import": ("certs", "import", "orion", "certs"),
    "context sync": ("context", "sync"),
    "docker-plugin install": ("docker-plugin", "install"),
    "import": ("import", "--from-docker-machine", "old"),
    "apply": ("apply",),
    "fleet init -o": ("fleet", "init", "-o", "new.yaml"),
    "ssh-config --write": ("ssh-config", "--write"),
}
NOW = r"\d{4}-\d\d-\d\dT[\d:.]+"
FLEET = """\
defaults: {driver: none}
hosts:
  orion: {url: "tcp://127.0.0.1:3"}
  rigel: {url: "tcp://127.0.0.1:4"}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory to copy, with a store of two machines and the files that the command lines need."""
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.setenv("HOME", str(place))
    for words in (
        (*NONE, "orion"),
        (*NONE, "vega"),
        ("certs", "create", "--out", "certs", "--san", "127.0.0.1"),
    ):
        assert run_command_line(["-s", "store", *words]) == 0
    (place / "fleet.yaml").write_text(FLEET)
    old = place / "old" / "machines" / "old"
    old.mkdir(parents=True)
    config = {"Name": "old", "DriverName": "none", "Driver": {"URL": "tcp://127.0.0.1:5"}, "HostOptions": {}}
    (old / "config.json").write_text(json.dumps(config))
    return place


def left_by(place: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], kind: str) -> tuple[Any, ...]:
    """Return the exit status of a command line, and all files afterwards."""
    copy = place.with_name("copy")
    shutil.copytree(place, copy, symlinks=True)
    monkeypatch.chdir(copy)
    monkeypatch.setenv("HOME", str(copy))
    with streams(kind, kind):
        code = run_command_line(["-s", "store", *words])
    found = [(path.relative_to(copy), path.lstat().st_mode, content(path)) for path in sorted(copy.rglob("*"))]
    shutil.rmtree(copy)
    return code, *found


def content(path: Path) -> str:
    """Return a file's text, without the parts that differ in every run."""
    return "" if path.is_dir() or path.suffix == ".pem" else re.sub(NOW, "now", path.read_text())


@pytest.mark.usefixtures("ssh_config")
@pytest.mark.parametrize("work", WORK)
def test_work_ends_the_same_if_its_output_cannot_be_written(
    place: Path, monkeypatch: pytest.MonkeyPatch, sshd: Sshd, work: str
) -> None:
    words = tuple(word.format(port=sshd.port) for word in WORK[work])
    usual, *others = (left_by(place, monkeypatch, words, kind) for kind in ("", *KINDS))
    for other in others:
        assert other == usual


def test_each_verb_either_works_or_prints() -> None:
    known = {name for name, verb in ALL.items() if verb.runs and verb.output == WORKS}
    # Tested elsewhere, or impossible without a host.
    elsewhere = {"certs issue", "context import", "docker-plugin uninstall", "forward", "kill", "mount", "pull", "push"}
    elsewhere |= {"builder", "builder create", "builder rm"}
    elsewhere |= {"access end", "access grant", "access issue", "export", "renew"}
    elsewhere |= {"access accept", "access renew", "access request", "restart", "scp", "socket", "socket rm", "start"}
    elsewhere |= {"swarm init", "swarm join", "swarm leave"}
    assert {*WORK, *elsewhere} >= known


def test_a_real_process_survives_an_unread_stderr(tmp_path: Path) -> None:
    for at, redirection in enumerate(("2>&-", "2>/dev/full", ">&- 2>&-", ">/dev/full 2>&1")):
        words = ["create", "-d", "none", "--url", "tcp://127.0.0.1:2375", f"box{at}"]
        command = ["sh", "-c", f'"$@" {redirection}', "sh", *COMMAND, "-s", str(tmp_path), *words]
        assert subprocess.run(command, check=False, stdout=subprocess.PIPE).returncode == 0
        assert (tmp_path / "machines" / f"box{at}" / "machine.json").exists()


def test_a_drained_node_is_active_again_if_nobody_reads_stderr(store: Store) -> None:
    with engines(store, "m1", "m2") as swarms:
        dict(Roles({"m1": "manager", "m2": "manager"}).form(store, Quiet(), Joining(Login(), "192.0.2.7")))
        for kind in KINDS:
            with streams(err=kind), store.writing("m2") as held:
                with draining.drained_node(held, Terminal("machinectl"), "node-m2"):
                    assert swarms.availability("m2") == "drain"
                with (
                    pytest.raises(MachineError, match="as it is"),
                    draining.drained_node(held, Terminal("machinectl"), "node-m2"),
                ):
                    raise MachineError("as it is")
            assert swarms.availability("m2") == "active"


def test_a_printing_verb_ends_early(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    added(store, Machine("orion", "none", url="unix:///x.sock"))
    lines = [
        ("ls",),
        ("inspect", "orion"),
        ("env", "orion"),
        ("--help",),
        ("rm", "--help"),
        ("rm", "--dry-run", "orion"),
    ]
    for words in lines:
        with streams(out=BROKEN):
            assert run_command_line(["-s", store.root, *words]) == 0
        assert capsys.readouterr().err == ""
        with streams(out=FULL):
            assert run_command_line(["-s", store.root, *words]) == 1
        assert "Cannot write the output: No space left on device" in capsys.readouterr().err


def test_work_warns_once_of_unwritable_output(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("orion", "rigel"):
        added(store, Machine(name, "none", url="unix:///x.sock"))
    with streams(out=FULL):
        assert run_command_line(["-s", store.root, "rm", "-y", "orion", "rigel"]) == 0
    assert capsys.readouterr().err == "Warning: Cannot write the output: No space left on device\n"
    assert store.names() == []


def test_a_broken_pipe_elsewhere_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        with opened(BROKEN) as pipe:
            os.write(pipe.fileno(), b"data")

    assert guarded(work) == BUG
    assert "BrokenPipeError" in capsys.readouterr().err


def test_a_non_blocking_stream_loses_nothing() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    script = "import sys\nfrom machinectl.cli.output import stdio\nstdio.open_streams()\nprint('x' * 1_000_000)\n"
    with subprocess.Popen([*COMMAND[:1], "-c", script], stdout=writing, stderr=subprocess.PIPE) as process:
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            assert len(pipe.read()) == 1_000_001
        assert process.stderr
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.parametrize("more", [b"", b"x" * (2 * io.DEFAULT_BUFFER_SIZE)])
def test_what_a_signal_interrupts_is_written_once_and_what_comes_next_is_whole(more: bytes) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    ours, theirs = socket.socketpair()
    before = signal.signal(signal.SIGIO, interrupt)
    try:
        with ours, theirs:
            out = io.BufferedWriter(Stream(ours))
            # Then the system sends the signal during write(2).
            fcntl.fcntl(theirs, fcntl.F_SETOWN, os.getpid())
            fcntl.fcntl(theirs, fcntl.F_SETFL, os.O_ASYNC)
            with pytest.raises(KeyboardInterrupt):  # noqa: PT012 (whichever of them writes)
                out.write(b"one\n" + more)
                out.flush()
            fcntl.fcntl(theirs, fcntl.F_SETFL, 0)
            out.write(b"two\n")
            out.flush()
            assert theirs.recv(1 << 20) == b"one\n" + more + b"two\n"
            out.detach()
    finally:
        signal.signal(signal.SIGIO, before)


def test_a_program_that_is_started_has_the_streams_that_we_were_started_without() -> None:
    seen = "import os; print([os.readlink(f'/proc/self/fd/{each}') for each in (0, 1, 2)], file=open(3, 'w'))"
    script = (
        "import subprocess\nfrom machinectl.cli.output import stdio\nstdio.open_streams()\n"
        f"subprocess.run({[*COMMAND[:1], '-c', seen]!r}, pass_fds=[3])\n"
    )
    command = ["sh", "-c", 'exec 3>&1; "$@" <&- >&- 2>&-', "sh", *COMMAND[:1], "-c", script]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    assert done.stdout == f"{[os.devnull] * 3}\n"
