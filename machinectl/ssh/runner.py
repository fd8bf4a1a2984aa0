"""What runs commands on a host, and what a command came to: all that those who work on hosts know of SSH."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from machinectl.process_streams import Input, StopEvent, WriteOutput

# For a command that only looks or writes a file, in seconds; what takes longer says so.
COMMAND_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command did: its exit status and all it printed."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """What is on stdout as text, without the line's end at its end."""
        return self.stdout.decode(errors="replace").rstrip("\n")


class Runner(Protocol):
    """What runs commands on a host: a Session as the user who logged in, or sudo's Root."""

    # Run a script of sh, of one line or many. `timeout` in seconds is for all of it. With `check`, a status other
    # than 0 raises CommandFailed. `shown` is traced in the script's place, and what it prints too unless that is
    # `secret`. Raises ConnectionLost, CommandTimeout.
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
    """A runner whose commands can be followed while they run."""

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
