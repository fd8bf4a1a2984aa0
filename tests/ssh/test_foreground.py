"""The system's ssh as a child process in the foreground: a shell and a person see the same as with plain ssh."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from machinectl.ssh.openssh.foreground import LAST_WORDS

if TYPE_CHECKING:
    from pathlib import Path

# A stand-in for ssh: a shell script, whose signals and streams each test sets.
RUN = """
import os, sys
from machinectl.foreground_program import end_alike
from machinectl.ssh.openssh import foreground
ended = foreground.run_ssh_in_foreground(["sh", "-c", sys.argv[1]])
sys.stdout.write(f"held {ended.held}\\n")
sys.stdout.flush()
sys.exit(end_alike(ended.status))
"""


def started(script: str, **streams: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", RUN, script], **streams)  # type: ignore[call-overload, no-any-return]


def test_output_comes_at_once_and_the_last_error_is_held() -> None:
    script = (
        "echo one >&2; read word; echo two >&2; echo ssh: connect to host x port 1: Connection refused >&2; exit 255"
    )
    with started(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr
        assert process.stderr.readline() == b"one\n"
        said, errors = process.communicate(b"go on\n")
    assert (process.returncode, errors) == (255, b"two\n")
    assert said == b"held b'ssh: connect to host x port 1: Connection refused\\n'\n"


def test_a_remote_command_that_prints_ssh_errors_is_held_only_briefly() -> None:
    script = "echo @@@@@@@@@@ >&2; read word; exit 3"
    with started(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr
        # It continues, unlike ssh.
        assert process.stderr.readline() == b"@@@@@@@@@@\n"
        said, _ = process.communicate(b"go on\n")
    assert (process.returncode, said) == (3, b"held b''\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_ssh_ends_us(number: signal.Signals) -> None:
    with started("echo ready; exec sleep 100", stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        process.communicate()
    assert process.returncode == -number


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a program with its parent")
def test_python_knows_that_ssh_has_ended() -> None:
    command = [sys.executable, "-W", "always::ResourceWarning", "-c", RUN, "exit 3"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (3, b"")


def test_ssh_ends_with_us_if_we_are_killed() -> None:
    # It holds the pipe open until it ends.
    with started("echo ready; exec sleep 100", stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        process.kill()
        assert process.stdout.read() == b""


def test_a_signal_that_comes_while_it_starts_ends_it_too() -> None:
    # It comes before we know the process ID, whichever of the two is faster.
    at_start = (
        "import os, signal, subprocess\n"
        "start = subprocess.Popen\n"
        "def signalled(*given, **more):\n"
        "    process = start(*given, **more)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    return process\n"
        "subprocess.Popen = signalled\n"
    )
    command = [sys.executable, "-c", at_start + RUN, "exec cat"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        # Where only we ended, it would still be there to read and to answer.
        assert process.wait() == -signal.SIGTERM
        said, _ = process.communicate(b"still here")
    assert b"still here" not in said


def test_an_interrupt_is_left_to_ssh(tmp_path: Path) -> None:
    # A terminal sends it to the whole foreground group. Only ssh decides, and it takes its time.
    script = f"trap 'echo caught >{tmp_path}/caught; exit 7' INT; echo ready; while :; do read word; done"
    with started(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(b"\n")
    assert process.returncode == 7
    assert (tmp_path / "caught").exists()


INTERRUPTED = """
import signal, sys
from machinectl.foreground_program import Interrupts
interrupts = Interrupts()
signal.signal(signal.SIGINT, lambda *_: print(interrupts.is_for_us_only(), flush=True))
with interrupts.watched():
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("to_us", "to_group", "told"),
    [
        pytest.param(1, 0, [b"True"], id="kill -INT"),
        pytest.param(0, 1, [b"False"], id="^C"),
        pytest.param(1, 1, [b"False"], id="timeout -s INT"),
    ],
)
def test_an_interrupt_is_passed_on_only_if_ssh_has_not_got_it(to_us: int, to_group: int, told: list[bytes]) -> None:
    # The second one would end docker compose and terraform by force.
    command = [sys.executable, "-c", INTERRUPTED]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        for _ in range(to_us):
            os.kill(process.pid, signal.SIGINT)
        for _ in range(to_group):
            os.killpg(process.pid, signal.SIGINT)
        first = process.stdout.readline()
        rest, _ = process.communicate()
    assert sorted({first.strip(), *rest.split()}) == told


def test_nohup_stays_in_force() -> None:
    script = "kill -INT $$; kill -HUP $$; exit 5"
    command = f"trap '' INT HUP; exec {sys.executable} -c '{RUN}' '{script}'"
    assert subprocess.run(["sh", "-c", command], check=False, capture_output=True).returncode == 5


def test_a_stopped_ssh_stops_us_and_continues_with_us() -> None:
    """ssh's ~^Z stops only ssh: the shell that waits for us has to see it."""
    with started("kill -STOP $$; echo on; exit 4", stdout=subprocess.PIPE, process_group=0) as process:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        # What `fg` does.
        os.killpg(process.pid, signal.SIGCONT)
        said, _ = process.communicate()
    assert (process.returncode, said) == (4, b"on\nheld b''\n")


def test_ssh_has_a_terminal_as_stderr_if_we_have() -> None:
    ours, theirs = pty.openpty()
    with started("test -t 2 && echo yes >&2", stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        assert os.read(ours, 100) == b"yes\r\n"
        process.communicate()
    os.close(ours)
    assert process.returncode == 0


def test_an_unread_stderr_is_left_to_ssh() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with started("while echo lost >&2; do :; done; exit 6", stdin=subprocess.PIPE, stderr=writer) as process:
        os.close(writer)
        process.communicate()
    assert process.returncode in {6, -signal.SIGPIPE, 128 + signal.SIGPIPE}


def test_a_full_pipe_that_does_not_block_loses_nothing() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with started("head -c 1000000 /dev/zero >&2", stdout=subprocess.DEVNULL, stderr=writer) as process:
        os.close(writer)
        count = 0
        while data := os.read(reader, 1 << 20):
            count += len(data)
    os.close(reader)
    assert (process.returncode, count) == (0, 1000000)


@pytest.mark.parametrize(
    ("said", "held"),
    [
        (b"@@@@@@@@@@@@@@@@\n@ WARNING", True),
        (b"Warning: x\nssh: connect to host x port 1: No route to host\n", True),
        (b"ssh: Could not resolve hostname x: Name or service not known\n", True),
        (b"user@@@@@@@@@@@\n", False),
        (b"ssh: command not found\n", False),
    ],
)
def test_the_last_error_is_recognised(said: bytes, held: bool) -> None:
    assert bool(re.search(LAST_WORDS, said)) is held
