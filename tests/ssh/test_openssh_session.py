"""The system's ssh does what paramiko cannot: a real sshd that speaks nothing but what that lacks."""

from __future__ import annotations

import contextlib
import glob
import os
import select
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

import pytest

from machinectl.ssh.openssh import openssh_session
from machinectl.ssh.ssh_errors import (
    Unsupported,
)
from tests.support import hostile_ssh
from tests.support.servers import serving
from tests.support.sshd import log_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.sshd import SSHConfig, Sshd

NEWER = "Ciphers chacha20-poly1305@openssh.com"

pytestmark = pytest.mark.usefixtures("ssh_config")


@pytest.fixture
def newer(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """A server that has no cipher in common with paramiko; nothing of the connections to it is left in the end."""
    sshd.configure(NEWER)
    mine = tempfile.mkdtemp()
    monkeypatch.setattr(tempfile, "tempdir", mine)
    yield sshd
    for process in at_work_with(mine):
        ended(process)
    assert glob.glob(f"{mine}/*") == []
    os.rmdir(mine)


def at_work_with(directory: str) -> list[int]:
    """The programs that were told of a directory."""
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        # It may end meanwhile.
        with contextlib.suppress(OSError), open(path, "rb") as file:
            if directory.encode() in file.read():
                found.append(int(path.split("/")[2]))
    return found


def ended(process: int) -> None:
    """Wait for the end of a program that was told to end: an ssh in the background answers first."""
    with contextlib.suppress(ProcessLookupError):
        watched = os.pidfd_open(process)
        try:
            assert select.select([watched], [], [], 10)[0], f"process {process} goes on"
        finally:
            os.close(watched)


def test_what_the_user_configured_for_shells_is_not_for_commands(newer: Sshd, ssh_config: SSHConfig) -> None:
    ssh_config.write(
        "RemoteCommand echo mine\nRequestTTY force\nLocalForward 1 localhost:1\nPermitLocalCommand yes\n"
        "LocalCommand false\nControlMaster auto\nControlPath ~/%C\nHashKnownHosts yes\nStrictHostKeyChecking no\n"
        "StdinNull yes\nSessionType subsystem\n"
    )
    with log_in(newer.endpoint) as session:
        assert session.run("tty || echo none").text.splitlines()[-1] == "none"


def test_a_login_that_is_broken_off_leaves_no_ssh_behind(newer: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(openssh_session.OpenSSHLogin, "_wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        log_in(newer.endpoint)


# A program that ends while a thread of its is logged in, and prints the process that stays in the background.
LEAVING = """
import os, signal, sys, threading
from machinectl.ssh.destination import SSHEndpoint
from tests.support.sshd import log_in
logged_in = threading.Event()
def work(endpoint):
    session = log_in(endpoint)
    print(session.master.process.pid, flush=True)
    logged_in.set()
    threading.Event().wait()
host, user, port, key, end = sys.argv[1:]
threading.Thread(target=work, args=[SSHEndpoint(host, user, int(port), key)], daemon=True).start()
logged_in.wait()
if end == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("end", ["ended", "killed"])
def test_a_process_that_ends_leaves_no_ssh_behind(newer: Sshd, end: str) -> None:
    where = newer.endpoint
    words = [sys.executable, "-c", LEAVING, where.host, where.user, str(where.port), where.key, end]
    done = subprocess.run(words, check=False, stdout=subprocess.PIPE, text=True)
    with contextlib.suppress(ProcessLookupError):
        master = os.pidfd_open(int(done.stdout))
        ended, _, _ = select.select([master], [], [], 30)
        os.close(master)
        assert ended


def test_the_directory_of_a_killed_process_is_removed_by_the_next(
    newer: Sshd, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(runtime))
    where = newer.endpoint
    words = [sys.executable, "-c", LEAVING, where.host, where.user, str(where.port), where.key, "killed"]
    subprocess.run(words, check=False, stdout=subprocess.PIPE, env={**os.environ, "TMPDIR": str(runtime)})
    [left] = runtime.glob("machinectl-ssh-*")
    with log_in(where) as session:
        [directory] = runtime.glob("machinectl-ssh-*")
        assert directory != left
        log = directory / "0" / "log"
        size = log.stat().st_size
        for _ in range(3):
            session.run("true")
        assert log.stat().st_size < size
    assert list(runtime.glob("machinectl-ssh-*")) == []


def test_without_ssh_or_a_common_algorithm_the_error_names_them(
    sshd: Sshd, ssh_config: SSHConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sshd.configure(NEWER)
    ssh_config.write("Ciphers aes128-ctr\n")
    with pytest.raises(Unsupported, match="no matching cipher found"):
        log_in(sshd.endpoint)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unsupported, match="is incompatible with our SSH"):
        log_in(sshd.endpoint)


# A program that a server keeps waiting, and that prints the process of its ssh.
WAITING = """
import os, signal, subprocess, sys
from machinectl.ssh.openssh import openssh_session
from machinectl.ssh.destination import SSHEndpoint
from tests.support.sshd import log_in
def wait(login, process, *_):
    print(process.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
openssh_session.OpenSSHLogin._wait = wait
log_in(SSHEndpoint("127.0.0.1", port=int(sys.argv[1])), timeout=600)
"""


def test_a_process_that_is_killed_before_the_login_leaves_no_ssh_behind() -> None:
    with serving(hostile_ssh.holding()) as port:
        words = [sys.executable, "-c", WAITING, str(port)]
        done = subprocess.run(words, check=False, stdout=subprocess.PIPE, text=True)
        ended(int(done.stdout))
