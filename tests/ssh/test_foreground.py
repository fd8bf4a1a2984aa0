"""The system's ssh as a child process in the foreground: a shell and a person see the same as with plain ssh."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

# A stand-in for ssh: a shell script, whose signals and streams each test sets.
RUN = """
import os, sys
from machinectl.foreground_program import end_alike, run_foreground
sys.exit(end_alike(run_foreground(["sh", "-c", sys.argv[1]], os.environ)))
"""


def started(script: str, **streams: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", RUN, script], **streams)  # type: ignore[call-overload, no-any-return]


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


# Neither print nor a blocking read: buffered streams are not reentrant, and no signal before `read` ends it.
INTERRUPTED = """
import os, select, signal
from machinectl.foreground_program import Interrupts
interrupts = Interrupts()
signal.signal(signal.SIGINT, lambda *_: os.write(1, b"%r\\n" % interrupts.is_for_us_only()))
changed, wake = os.pipe()
os.set_blocking(wake, False)
signal.set_wakeup_fd(wake)
with interrupts.watched():
    os.write(1, b"ready\\n")
    while 0 not in select.select([0, changed], [], [])[0]:
        os.read(changed, 1)
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
    assert (process.returncode, said) == (4, b"on\n")
