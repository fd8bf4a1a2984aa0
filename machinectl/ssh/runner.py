"""Interfaces for running commands on a host, and their results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from machinectl.process_streams import Input, StopEvent, WriteOutput

# For a command that only reads or writes a file, in seconds.
COMMAND_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class CommandResult:
    """A command's exit status and output."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Return stdout as text, without newlines at its end."""
        return self.stdout.decode(errors="replace").rstrip("\n")


class Runner(Protocol):
    """Runs commands on a host: a Session as the user who logged in, or sudo's Root."""

    # Run a script of sh within `timeout` seconds. With `check`, a status other than 0 raises CommandFailed. The trace
    # has `shown` instead of the script, and its output unless that is `secret`. Raises ConnectionLost, CommandTimeout.
    def run(
        self,
        script: str,
        *,
        input: bytes = b"",  # noqa: A002 - subprocess.run's name for it
        timeout: float = COMMAND_TIMEOUT,
        check: bool = True,
        shown: str = "",
        secret: bool = False,
    ) -> CommandResult: ...


class StreamingRunner(Runner, Protocol):
    """A runner that can also pass on the output of a script while it runs."""

    # Run a user's script, pass on its output as it comes, and return its exit status; None on `stop`, after the script
    # was ended. Raises ConnectionLost.
    def follow(
        self,
        script: str,
        write: WriteOutput,
        stop: StopEvent,
        *,
        input: Input | None = None,  # noqa: A002
    ) -> int | None: ...
