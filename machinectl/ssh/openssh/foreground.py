"""Run the system's ssh in the foreground, with its own terminal, job control and exit status.

It is a child, so that we can replace its last error.
"""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import time
import tty
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    Handler = Callable[[int, FrameType | None], None]

# Start of ssh's messages about a host key, a failed connection or a refused login. ssh ends right after them.
LAST_WORDS = re.compile(
    rb"^(?:@{10}|ssh: (?:connect to host|Could not resolve hostname) |Host key verification failed\.|"
    rb"[^\s@]+@\S+: Permission denied \()",
    re.MULTILINE,
)
# A remote command may print the same text. Pass it on after this time, in seconds.
HOLD_SECONDS = 0.5
# A terminal sends these to the whole foreground process group: ssh decides, and we follow.
LEFT_TO_SSH = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
PASSED_ON = (signal.SIGTERM, signal.SIGHUP)
STDERR = 2
CHUNK = 1 << 16


class ForegroundExit(NamedTuple):
    """`status` is a wait status; `held` is the unprinted last error."""

    status: int
    held: bytes


def run_foreground(command: list[str]) -> ForegroundExit:
    """Raises OSError if ssh does not start."""
    ours, theirs = error_stream()
    errors = ErrorStream(ours)
    ssh = 0

    def pass_on(number: int, _: FrameType | None) -> None:
        if not ssh:
            end_by(number)
        with suppress(ProcessLookupError):
            os.kill(ssh, number)

    try:
        with handled(pass_on) as changed:
            # A signal during the start is for ssh, whose process ID is not known yet.
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
            try:
                ssh = os.posix_spawnp(
                    command[0],
                    command,
                    os.environ,
                    file_actions=[(os.POSIX_SPAWN_DUP2, theirs, STDERR)],
                    setsigdef=[signal.SIGPIPE],
                    setsigmask=mask,
                )
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
                os.close(theirs)
            return attend(ssh, errors, changed)
    finally:
        errors.close()


def attend(ssh: int, errors: ErrorStream, changed: int) -> ForegroundExit:
    """Pass on stderr; stop when ssh stops. `changed` is readable after a signal."""
    while True:
        sources = [changed, errors.descriptor] if errors.is_open else [changed]
        ready, _, _ = select.select(sources, [], [], errors.patience())
        if errors.descriptor in ready:
            errors.take()
        errors.release_late()
        if changed in ready:
            os.read(changed, CHUNK)
            pid, status = os.waitpid(ssh, os.WNOHANG | os.WUNTRACED)
            if pid and os.WIFSTOPPED(status):
                # The shell watches only this process. `fg` continues the whole job, ssh too.
                os.kill(os.getpid(), signal.SIGSTOP)
            elif pid:
                errors.drain()
                return ForegroundExit(status, errors.held)


class ErrorStream:
    """Holds back only ssh's last error."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.is_open = True
        self.held = b""
        self._since = 0.0
        self._holds = True
        self._at_line_start = True

    def take(self) -> None:
        try:
            data = os.read(self.descriptor, CHUNK)
        except OSError:
            # EIO on Linux: no process has the pseudo-terminal open.
            data = b""
        if not data:
            self.close()
        elif self.held:
            self.held += data
        else:
            found = LAST_WORDS.search(data) if self._holds else None
            at = found.start() if found and (found.start() or self._at_line_start) else len(data)
            self._pass_on(data[:at])
            self._at_line_start = data.endswith(b"\n")
            self.held, self._since = data[at:], time.monotonic()

    def patience(self) -> float | None:
        """Return seconds until `release_late`; None means no limit."""
        return max(0.0, self._since + HOLD_SECONDS - time.monotonic()) if self.held else None

    def release_late(self) -> None:
        """Pass on the held text: ssh still runs, so it was not the last error."""
        if self.held and self.patience() == 0:
            self._holds = False
            self._pass_on(self.held)
            self.held = b""

    def drain(self) -> None:
        """Do not wait: a background ssh may keep it open."""
        while self.is_open and select.select([self.descriptor], [], [], 0)[0]:
            self.take()

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            os.close(self.descriptor)

    def _pass_on(self, data: bytes) -> None:
        try:
            write_stderr(data)
        except OSError:
            # Our stderr is closed. ssh notices when it writes to the closed pipe.
            self.close()


def write_stderr(data: bytes) -> None:
    while data:
        try:
            data = data[os.write(STDERR, data) :]
        except BlockingIOError:
            # ssh makes its stdout non-blocking, and ours may be the same open file.
            select.select([], [STDERR], [])


def error_stream() -> tuple[int, int]:
    """Return our end first. It is a terminal if our stderr is: ssh asks to touch a security key only there."""
    if not os.isatty(STDERR):
        return os.pipe()
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    return ours, theirs


@contextmanager
def handled(pass_on: Handler) -> Iterator[int]:
    """Yields a descriptor that is readable after a signal. Ignored signals (nohup) stay ignored."""
    changed, wake = os.pipe()
    os.set_blocking(wake, False)
    before = {}
    try:
        for number in (*LEFT_TO_SSH, *PASSED_ON, signal.SIGCHLD):
            if signal.getsignal(number) is not signal.SIG_IGN or number == signal.SIGCHLD:
                # ssh does not inherit handlers.
                before[number] = signal.signal(number, pass_on if number in PASSED_ON else leave_to_ssh)
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


def leave_to_ssh(_number: int, _frame: FrameType | None) -> None:
    """Leave a signal to ssh."""


def end_alike(status: int) -> int:
    """End by the same signal as ssh."""
    if os.WIFSIGNALED(status):
        end_by(os.WTERMSIG(status))
    return os.WEXITSTATUS(status)


def end_by(number: int) -> NoReturn:
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    # The signal is blocked, or does not end a process.
    os._exit(128 + number)
