"""Run a program in the foreground: it has our terminal, job control is the shell's, and its end is ours."""

from __future__ import annotations

import os
import select
import signal
import sys
from contextlib import contextmanager, suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from subprocess import Popen
    from types import FrameType
    from typing import NoReturn

    Handler = Callable[[int, FrameType | None], None]

# A terminal sends these to the whole foreground process group: the program decides, and we follow.
LEFT_TO_PROGRAM = (signal.SIGQUIT, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
# SIGINT only if no terminal has sent it.
PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# prctl(2): the signal that a process gets when its parent ends.
PR_SET_PDEATHSIG = 1
CHUNK = 1 << 16


def run_foreground(command: list[str], environment: Mapping[str, str]) -> int:
    """Return a wait status. Raises OSError if the program does not start."""
    program: Popen[bytes] | None = None
    # Signals during the start are for the program, whose process ID is not known yet.
    early: list[int] = []

    def pass_on(number: int, _: FrameType | None) -> None:
        if not program:
            early.append(number)
            return
        if number == signal.SIGINT and is_at_terminal():
            return
        with suppress(ProcessLookupError):
            os.kill(program.pid, number)

    with handled(pass_on) as changed:
        program = start(command, environment)
        for number in early:
            pass_on(number, None)
        return wait_for(program, changed)


def is_at_terminal() -> bool:
    """Return whether we are in the foreground of a terminal, whose ^C the program has got, too."""
    with suppress(OSError):
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
        try:
            return os.tcgetpgrp(terminal) == os.getpgrp()
        finally:
            os.close(terminal)
    return False


def start(command: list[str], environment: Mapping[str, str]) -> Popen[bytes]:
    """Start the program, which `wait_for` waits for. On Linux, it ends with us, even by kill -9. Raises OSError."""
    import subprocess

    own, prctl = os.getpid(), None
    if sys.platform == "linux":
        with suppress(ImportError, OSError):
            import ctypes

            # After a fork, only what needs no lock of another thread is safe: prctl is looked up before it.
            prctl = getattr(ctypes.CDLL(None), "prctl", None)

    def follow_us() -> None:
        if prctl:
            prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != own:
                os.kill(os.getpid(), signal.SIGTERM)

    return subprocess.Popen(command, env=environment, close_fds=False, preexec_fn=follow_us)  # noqa: PLW1509


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
                before[number] = signal.signal(number, (lambda *_: None) if number in LEFT_TO_PROGRAM else pass_on)
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
