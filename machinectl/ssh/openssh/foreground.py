"""Run the system's ssh in the foreground, and replace its last error."""

from __future__ import annotations

import os
import select
import time

from machinectl.foreground_program import STDERR, run_foreground
from machinectl.value_classes import Frozen

# Start of ssh's messages about a host key, a failed connection or a refused login. ssh ends right after them.
LAST_WORDS = (
    rb"(?m)^(?:@{10}|ssh: (?:connect to host|Could not resolve hostname) |Host key verification failed\.|"
    rb"[^\s@]+@\S+: Permission denied \()"
)
# A remote command may print the same text. Pass it on after this time, in seconds.
HOLD_SECONDS = 0.5
CHUNK = 1 << 16


class ForegroundExit(Frozen):
    """`status` is a wait status; `held` is the unprinted last error."""

    status: int
    held: bytes


def run_ssh_in_foreground(command: list[str]) -> ForegroundExit:
    """Raises OSError if ssh does not start."""
    ours, theirs = error_stream()
    errors = ErrorStream(ours)
    try:
        return ForegroundExit(run_foreground(command, os.environ, (theirs, errors)), errors.held)
    finally:
        errors.close()


class ErrorStream:
    """Holds back only ssh's last error."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.is_open = True
        self.held = b""
        self._since = 0.0
        self._holds = True
        self._at_line_start = True

    def attend(self, *, is_ready: bool) -> None:
        if is_ready:
            self.take()
        self.release_late()

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
            import re

            found = re.search(LAST_WORDS, data) if self._holds else None
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
    import tty

    ours, theirs = os.openpty()
    tty.setraw(theirs)
    return ours, theirs
