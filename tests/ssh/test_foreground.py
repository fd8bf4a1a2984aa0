"""The system's ssh as a child process in the foreground: a shell and a person see the same as with plain ssh."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.person import Person

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


def test_an_interrupt_of_the_terminal_reaches_ssh_once() -> None:
    # The second one would end docker compose and terraform by force.
    script = "trap 'echo caught' INT; echo ready; while :; do read word && echo $word && exit 7; done"
    person = Person([sys.executable, "-c", RUN, script])
    person.wait_for("ready")
    person.type("\x03")
    person.wait_for("caught")
    person.type("done\n")
    person.wait_for("done")
    person.wait_for("done")
    assert person.close() == 7
    assert "caught" not in person.seen


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
