"""The output of a script is passed on as it comes, in whatever pieces."""

from __future__ import annotations

import os
import signal
import subprocess

from hypothesis import given
from hypothesis import strategies as st

from machinectl.ssh import framing
from machinectl.ssh.framing import ScriptOutput, end_command

MARK = "0123456789abcdef0123456789abcdef"
# Pieces of the mark and of what it begins with, beside anything.
TEXTS = st.lists(
    st.sampled_from([MARK[:7], MARK[:31], "0", "01", "\n", f"{MARK[:31]}x", MARK[1:]]).map(str.encode)
    | st.binary(max_size=9)
).map(b"".join)


def output_of(pieces: list[tuple[bytes, bool]]) -> tuple[ScriptOutput, dict[bool, bytes], list[bool]]:
    said = {False: b"", True: b""}

    def say(data: bytes, on_stderr: bool) -> None:
        said[on_stderr] += data

    output = ScriptOutput(MARK, say)
    return output, said, [output.take(*piece) for piece in pieces]


@given(TEXTS, TEXTS, TEXTS, st.integers(0, 255), st.lists(st.integers(1, 40), min_size=1))
def test_all_that_is_between_the_marks_comes_through_in_any_pieces(
    noise: bytes, out: bytes, err: bytes, status: int, sizes: list[int]
) -> None:
    mark = MARK.encode()
    if mark in noise or mark in out or mark in err:
        return
    streams = {
        False: b"%s%s\n4711\n%s%s:%d\n" % (noise, mark, out, mark, status),
        True: b"%s%s\n%s%s:\n" % (noise, mark, err, mark),
    }
    pieces = []
    turn = 0
    while any(streams.values()):
        on_stderr = bool(turn % 2)
        size = sizes[turn % len(sizes)]
        if streams[on_stderr]:
            pieces.append((streams[on_stderr][:size], on_stderr))
            streams[on_stderr] = streams[on_stderr][size:]
        turn += 1
    output, said, ends = output_of(pieces)
    assert said == {False: out, True: err}
    assert (output.status, output.process, output.started) == (status, 4711, True)
    assert ends == [False] * (len(ends) - 1) + [True]


@given(st.lists(st.tuples(st.binary(), st.booleans())))
def test_a_host_that_says_anything_else_is_heard_and_nothing_is_passed_on(pieces: list[tuple[bytes, bool]]) -> None:
    output, said, _ = output_of([(data.replace(b"0", b""), on_stderr) for data, on_stderr in pieces])
    assert said == {False: b"", True: b""}
    assert (output.started, output.status) == (False, None)


def test_what_was_held_back_comes_where_the_end_does_not() -> None:
    output, said, _ = output_of([(f"{MARK}\n1\nabc{MARK[:9]}".encode(), False)])
    assert said[False] == b"abc"
    output.finish()
    assert said[False] == b"abc" + MARK[:9].encode()


def test_a_login_that_goes_on_for_ever_is_left() -> None:
    _, _, ends = output_of([(b"x" * (1 << 20), True) for _ in range(17)])
    assert ends == [False] * 16 + [True]


def test_megabytes_of_noise_are_not_kept() -> None:
    output, _, _ = output_of([(b"x" * (1 << 20), False) for _ in range(8)])
    assert len(output.noise) <= framing.MOST_NOISE
    assert output.take(f"{MARK}\n1\n{MARK}:0\n".encode(), False) is False
    assert output.status == 0


def test_what_ends_a_script_ends_all_that_it_started() -> None:
    """As it is on a host: the login's process leads its group."""
    script = "trap '' TERM; sleep 1000 & sleep 1001 & echo ready; wait"
    process = subprocess.Popen(
        ["sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert subprocess.run(["sh", "-c", end_command(process.pid)], check=False).returncode == 0
        # One that does not obey is killed, and its children are gone with it: nobody holds their output any more.
        assert process.stdout.read() == b""
        assert process.wait() == -signal.SIGKILL
    assert subprocess.run(["sh", "-c", end_command(process.pid)], check=False, capture_output=True).stdout == b""


def test_a_script_that_has_ended_and_was_not_reaped_is_waited_for_no_more() -> None:
    process = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    process.send_signal(signal.SIGKILL)
    # It has ended, and this process, its parent, has not reaped it yet.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    script = f"sleep() {{ echo waited; }}\n{end_command(process.pid)}"
    done = subprocess.run(["sh", "-c", script], check=False, capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"")
    assert process.wait() == -signal.SIGKILL
