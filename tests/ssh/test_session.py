from __future__ import annotations

import contextlib
import os
import select
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl.ssh.connect import connect
from machinectl.ssh.keys.credentials import Credentials
from machinectl.ssh.keys.host_keys import HostKeyPolicy
from machinectl.ssh.ssh_errors import CommandFailed, CommandTimeout, ConnectionLost, NoShell, SSHError
from tests.support.quiet import Quiet
from tests.support.real import need
from tests.support.sshd import by_system, log_in

if TYPE_CHECKING:
    from tests.support.sshd import SSHConfig, Sshd

pytestmark = pytest.mark.usefixtures("ssh_config", "way")


def wait_until_gone(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        process = os.pidfd_open(pid)
        select.select([process], [], [])
        os.close(process)


def test_a_command_has_its_input_output_and_status(sshd: Sshd) -> None:
    with log_in(sshd.endpoint) as session:
        result = session.run("cat; echo to stderr >&2; exit 3", input=b"\0\xffdata", check=False)
        assert (result.status, result.stdout, result.stderr) == (3, b"\0\xffdata", b"to stderr\n")
        assert session.run("cat", timeout=10).stdout == b""
        # It need not read its input.
        assert session.run("echo done", input=b"x" * (8 << 20)).text == "done"
        data = os.urandom(1 << 20) * 6
        result = session.run("tee /dev/stderr", input=data)
        assert result.stdout == result.stderr == data
        for number in range(12):
            assert session.run(f"echo {number}").text == str(number)
    assert sshd.log.count("Accepted publickey") == 1


def test_a_command_that_fails_is_an_error_with_the_last_it_said(sshd: Sshd) -> None:
    with log_in(sshd.endpoint) as session, pytest.raises(CommandFailed) as caught:
        session.run("echo out; echo first >&2; echo last words >&2; exit 4")
    assert caught.value.cause == f"127.0.0.1:{sshd.port}: last words (status 4)"
    assert caught.value.result.stdout == b"out\n"
    assert "--debug" in caught.value.hint


def test_a_command_that_is_killed_is_an_error(sshd: Sshd) -> None:
    with log_in(sshd.endpoint) as session, pytest.raises(SSHError, match="ended a command early"):
        session.run("kill -9 $$", check=False)


@pytest.mark.parametrize(
    ("odd", "told"), [("256", r"status 255\)"), ("7" * 5000, "ended a command early"), ("137", "SIGKILL")]
)
def test_a_status_that_no_shell_has_is_a_failure_in_a_line(sshd: Sshd, odd: str, told: str) -> None:
    sshd.configure(f'ForceCommand sh -c "$SSH_ORIGINAL_COMMAND" | sed -u "s/:0$/:{odd}/"')
    with log_in(sshd.endpoint) as session, pytest.raises(SSHError, match=told):
        session.run("true")


def test_a_command_that_takes_too_long_is_given_up_and_the_next_one_runs(sshd: Sshd) -> None:
    with log_in(sshd.endpoint) as session:
        with pytest.raises(CommandTimeout, match="within 0 s"):
            session.run("sleep 60", timeout=0.3)
        assert session.run("echo next").text == "next"


def test_output_without_end_is_an_error(sshd: Sshd) -> None:
    with log_in(sshd.endpoint) as session, pytest.raises(SSHError, match="more than 16 MB"):
        session.run("cat /dev/zero")


def test_a_daemon_that_keeps_the_output_open_does_not_keep_the_command(sshd: Sshd) -> None:
    with log_in(sshd.endpoint) as session:
        daemon = session.run("sleep 600 & echo $!", timeout=60).text
        session.run(f"kill {daemon}")  # an error if it were over


def test_a_login_that_prints_noise_changes_no_output(sshd: Sshd) -> None:
    sshd.configure('ForceCommand echo Welcome; echo Beware >&2; eval "$SSH_ORIGINAL_COMMAND"', "Banner /etc/passwd")
    with log_in(sshd.endpoint) as session:
        result = session.run("echo data; echo oops >&2")
    assert (result.stdout, result.stderr) == (b"data\n", b"oops\n")


@pytest.mark.parametrize(
    ("command", "said"),
    [("/usr/sbin/nologin", "'This account is currently not available.'"), ("/bin/false", ""), ("internal-sftp", "")],
)
def test_a_user_without_a_shell_is_a_plain_error(sshd: Sshd, command: str, said: str) -> None:
    sshd.configure(f"ForceCommand {command}")
    with log_in(sshd.endpoint) as session, pytest.raises(NoShell, match=r"can log in .* but run no commands") as caught:
        session.run("true", timeout=10)
    assert said in caught.value.cause
    assert "another user" in caught.value.hint


def test_a_server_that_allows_one_session_at_once_runs_commands_all_the_same(sshd: Sshd) -> None:
    sshd.configure("MaxSessions 1")
    with log_in(sshd.endpoint) as session:
        for number in range(6):
            assert session.run(f"echo {number}").text == str(number)


def test_a_server_that_allows_no_session_is_an_error(sshd: Sshd) -> None:
    sshd.configure("MaxSessions 0")
    with log_in(sshd.endpoint) as session, pytest.raises(SSHError, match="opens no session"):
        session.run("true")


def test_a_connection_that_is_cut_is_lost(sshd: Sshd) -> None:
    with log_in(sshd.endpoint) as session:
        session.run("true")
        cut = threading.Timer(0.2, sshd.disconnect)
        cut.start()
        with pytest.raises(ConnectionLost, match="it was closed") as caught:
            session.run("sleep 60")
        assert f"ssh -p {sshd.port} {sshd.user}@127.0.0.1 true" in caught.value.hint
        with pytest.raises(ConnectionLost):
            session.run("true")
        cut.join()


@by_system
def test_a_link_that_goes_dead_is_noticed_by_the_keep_alive(sshd: Sshd, ssh_config: SSHConfig) -> None:
    ssh_config.write("ServerAliveInterval 1\nServerAliveCountMax 1\n")
    with log_in(sshd.endpoint) as session:
        session.run("true")
        # The line is cut: no packet comes back.
        sshd.freeze()
        with pytest.raises(ConnectionLost, match="no sign of life"):
            session.run("echo", timeout=30)


def test_a_quiet_command_outlives_the_keep_alive(sshd: Sshd, ssh_config: SSHConfig) -> None:
    ssh_config.write("ServerAliveInterval 1\nServerAliveCountMax 1\n")
    with log_in(sshd.endpoint) as session:
        assert session.run("sleep 2.5; echo alive").text == "alive"


def test_nothing_secret_is_in_an_argument_on_either_side(sshd: Sshd) -> None:
    need("ps")
    secret = "geheim-1b2f"
    with log_in(sshd.endpoint, credentials=Credentials(password=secret, sudo_password=secret)) as session:
        result = session.run("cat /proc/[0-9]*/cmdline; cat", input=secret.encode())
    assert result.stdout.endswith(secret.encode())
    assert result.stdout.count(secret.encode()) == 1
    here = b"".join(path.read_bytes() for path in Path("/proc/self/task").glob("*/cmdline"))
    assert secret.encode() not in here


def test_each_command_and_its_output_are_traced_without_the_input(sshd: Sshd) -> None:
    traced: list[str] = []
    with connect(sshd.endpoint, Credentials(), HostKeyPolicy(), Quiet(), trace=traced.append) as session:
        session.run("wc -c; echo oops >&2", input=b"geheim")
    assert traced == [f"{sshd.user}@127.0.0.1:{sshd.port}$ wc -c; echo oops >&2", "6", "oops"]


def test_nothing_is_left_running_on_the_host(sshd: Sshd) -> None:
    with log_in(sshd.endpoint) as session:
        pids = session.run("echo $$; echo $PPID").text.split()
    for pid in pids:
        wait_until_gone(int(pid))
    left = subprocess.run(["pgrep", "-f", str(sshd.directory)], check=False, capture_output=True).stdout.split()
    assert not [pid for pid in left if int(pid) != os.getpid()]
