"""Run a program in the foreground: it has our terminal, job control is the shell's, and its end is ours."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from contextlib import contextmanager, suppress
from functools import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from subprocess import Popen
    from types import FrameType
    from typing import NoReturn

    Handler = Callable[[int, FrameType | None], None]

# A terminal sends these to the whole foreground process group: the program decides, and we follow.
LEFT_TO_PROGRAM = (signal.SIGQUIT, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
# SIGINT only if the program has not got it.
PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# prctl(2): the signal that a process gets when its parent ends.
PR_SET_PDEATHSIG = 1
CHUNK = 1 << 16
# Ends at a SIGINT to our process group, and when we end; answers each line.
PROBE = ("/bin/sh", "-c", "trap '' HUP QUIT TERM; while read line; do echo; done")
# Seconds in which a signal reaches the whole group. timeout(1) sends it to us first.
SPREAD_SECONDS = 0.1
# Seconds for a shell's answer.
ANSWER_SECONDS = 1.0


def run_foreground(command: list[str], environment: Mapping[str, str]) -> int:
    """Return a wait status. Raises OSError if the program does not start."""
    program: Popen[bytes] | None = None
    # Signals during the start are for the program, whose process ID is not known yet.
    early: list[int] = []

    interrupts = Interrupts()

    def pass_on(number: int, _: FrameType | None) -> None:
        if not program:
            early.append(number)
            return
        if number == signal.SIGINT and not interrupts.is_for_us_only():
            return
        with suppress(ProcessLookupError):
            os.kill(program.pid, number)

    with handled(pass_on) as changed:
        program = start(command, environment)
        for number in early:
            pass_on(number, None)
        with interrupts.watched():
            return wait_for(program, changed)


class Interrupts:
    """Tells a SIGINT to this process only from one to its process group, which the program has got, too (^C).

    Python does not say who sent a signal. A shell in our group gets what the group gets, and ends.
    """

    def __init__(self) -> None:
        self._probe: Popen[bytes] | None = None
        self._last = -SPREAD_SECONDS

    @contextmanager
    def watched(self) -> Iterator[None]:
        self._start()
        try:
            yield
        finally:
            self._end()

    def is_for_us_only(self) -> bool:
        begun, probe = time.monotonic(), self._probe
        if begun - self._last < SPREAD_SECONDS:
            return False
        self._last = begun
        if probe is None:
            return True
        import subprocess

        with suppress(subprocess.TimeoutExpired):
            probe.wait(SPREAD_SECONDS / 2)
        # On a busy computer it may end late, but after the signal it answers no more.
        with suppress(BrokenPipeError):
            probe.stdin.write(b"\n")  # type: ignore[union-attr]  # it is a pipe
            answer = probe.stdout.fileno()  # type: ignore[union-attr]  # it is a pipe
            if not select.select([answer], [], [], ANSWER_SECONDS)[0] or os.read(answer, 1):
                return True
        self._end()
        self._start()
        return False

    def _start(self) -> None:
        import subprocess

        # Without a shell, every SIGINT is passed on.
        with suppress(OSError):
            self._probe = subprocess.Popen(
                PROBE, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )

    def _end(self) -> None:
        if self._probe:
            # Also if it is stopped.
            self._probe.kill()
            self._probe.wait()
            self._probe.stdin.close()  # type: ignore[union-attr]  # it is a pipe
            self._probe.stdout.close()  # type: ignore[union-attr]  # it is a pipe


def start(command: list[str], environment: Mapping[str, str]) -> Popen[bytes]:
    """Start the program, which `wait_for` waits for. On Linux, it ends with us, even by kill -9. Raises OSError."""
    import subprocess

    # After a fork, only what needs no lock of another thread is safe: prctl is looked up before it.
    prctl, own = (libc_function("prctl") if sys.platform == "linux" else None), os.getpid()

    def follow_us(ask: Callable[[int, int], int]) -> None:
        ask(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != own:
            os.kill(os.getpid(), signal.SIGTERM)

    first = partial(follow_us, prctl) if prctl else None
    return subprocess.Popen(command, env=environment, close_fds=False, preexec_fn=first)  # noqa: PLW1509


def libc_function(name: str) -> Callable[[int, int], int] | None:
    """Return None if there is none."""
    try:
        import ctypes

        return getattr(ctypes.CDLL(None), name, None)
    except (ImportError, OSError):
        return None


def wait_for(program: Popen[bytes], changed: int) -> int:
    """Stop when the program stops. `changed` is readable after a signal."""
    while True:
        if select.select([changed], [], [])[0]:
            os.read(changed, CHUNK)
            pid, status = os.waitpid(program.pid, os.WNOHANG | os.WUNTRACED)
            if pid and os.WIFSTOPPED(status):
                # The shell watches only this process. `fg` continues the whole job, the program too.
                os.kill(os.getpid(), signal.SIGSTOP)
            elif pid:
                # Popen's own wait does not return when a program stops. Set the status for it, as asyncio does.
                program.returncode = os.waitstatus_to_exitcode(status)
                return status


@contextmanager
def handled(pass_on: Handler) -> Iterator[int]:
    """Yields a descriptor that is readable after a signal. Ignored signals (nohup) stay ignored."""
    changed, wake = os.pipe()
    os.set_blocking(wake, False)
    before = {}
    try:
        for number in (*LEFT_TO_PROGRAM, *PASSED_ON, signal.SIGCHLD):
            if signal.getsignal(number) is not signal.SIG_IGN or number == signal.SIGCHLD:
                # The program does not inherit handlers.
                before[number] = signal.signal(number, leave_to_program if number in LEFT_TO_PROGRAM else pass_on)
        waker = signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        try:
            yield changed
        finally:
            signal.set_wakeup_fd(waker)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(changed)
        os.close(wake)


def leave_to_program(_number: int, _frame: FrameType | None) -> None:
    """Leave a signal to the program."""


def end_alike(status: int) -> int:
    """End by the same signal as the program."""
    if os.WIFSIGNALED(status):
        end_by(os.WTERMSIG(status))
    return os.WEXITSTATUS(status)


def end_by(number: int) -> NoReturn:
    with suppress(OSError):  # SIGKILL has no handler
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    # The signal is blocked, or does not end a process.
    os._exit(128 + number)
