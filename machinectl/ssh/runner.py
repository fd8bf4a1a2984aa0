"""Interfaces for running commands, and their exit statuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from machinectl.process_streams import WriteOutput

# For a command that only reads or writes a file, in seconds.
COMMAND_TIMEOUT = 60.0
# Linux signals (signal(7)).
FROM_1_ON = "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM"
NAMES = dict(enumerate(FROM_1_ON.split(), 1))
NAMES |= {24: "XCPU", 25: "XFSZ", 31: "SYS"}
# A shell adds this to a signal's number; the highest signal number.
ADDED, HIGHEST = 128, 64


@dataclass(frozen=True, slots=True)
class CommandResult:
    status: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Stdout without final newlines."""
        return self.stdout.decode(errors="replace").rstrip("\n")


class Runner(Protocol):
    """Runs commands as the login user or as root."""

    # Run a script of sh within `timeout` seconds. `check` raises CommandFailed if the status is not 0. The trace shows
    # `shown` instead of the script, and no output if `secret`. `write` gets the output as it comes, too. Raises
    # ConnectionLost, CommandTimeout.
    def run(
        self,
        script: str,
        *,
        input: bytes = b"",  # noqa: A002 - subprocess.run's name for it
        timeout: float = COMMAND_TIMEOUT,
        check: bool = True,
        shown: str = "",
        secret: bool = False,
        write: WriteOutput | None = None,
    ) -> CommandResult: ...


def is_signalled(status: int) -> bool:
    return ADDED < status <= ADDED + HIGHEST


def status_text(status: int) -> str:
    """Name the signal, if any."""
    signal = NAMES.get(status - ADDED, "")
    return f"status {status}{signal and f': SIG{signal}'}"
