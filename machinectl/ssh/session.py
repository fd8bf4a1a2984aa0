"""Run many commands over one connection."""

from __future__ import annotations

import contextlib
import secrets
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from machinectl.errors import Hint
from machinectl.process_streams import Stdin
from machinectl.ssh import framing
from machinectl.ssh.framing import MOST_OUTPUT, CollectedOutput, ScriptOutput, end_command
from machinectl.ssh.runner import COMMAND_TIMEOUT, CommandResult, is_signalled, status_text
from machinectl.ssh.ssh_errors import (
    CommandFailed,
    ConnectionLost,
    SSHError,
    command_timeout,
    instead_of_commands,
    shell_ended,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    from machinectl.console import Console
    from machinectl.process_streams import Input, StopEvent, WriteOutput
    from machinectl.ssh.destination import Settings, SSHEndpoint
    from machinectl.ssh.keys.credentials import Credentials
    from machinectl.ssh.keys.host_keys import HostKeys

# Length of the end of the output to search for the last line, in bytes.
TAIL = 4096
# How long ending a script may take, in seconds.
END_SECONDS = 10.0


class Output(Protocol):
    @property
    def started(self) -> bool: ...

    # Whether to send what follows `first` of stdin.
    @property
    def is_ready(self) -> bool: ...

    # Return whether the output is complete.
    def take(self, data: bytes, on_stderr: bool, /) -> bool: ...


@dataclass(frozen=True)
class Transfer:
    """Send `stdin`, and pass what is printed to `output`. On `stop` or after `timeout` seconds, call `end`."""

    stdin: Stdin
    output: Output
    stop: StopEvent | None = None
    end: Callable[[], object] | None = None
    timeout: float | None = None


class ScriptRunner(ABC):
    """Run scripts over a session; see Runner."""

    # The prefix of a script in the trace.
    prefix = ""

    @property
    @abstractmethod
    def session(self) -> SSHSession: ...

    @abstractmethod
    def frame(self, script: str, mark: str, *, streamed: bool = False) -> str:
        """Return the lines to send to LOGIN_COMMAND."""

    @abstractmethod
    def refusal(self, said: str) -> SSHError:
        """Explain why the script did not start, from what the host said."""

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
    ) -> CommandResult:
        session, address, mark = self.session, self.session.settings.address, secrets.token_hex(16)
        output = CollectedOutput(mark, write)
        session.trace_command(f"{self.prefix}{shown or script}")
        stdin = Stdin(self.frame(script, mark).encode(errors="surrogateescape") + input)
        status = session.transfer(Transfer(stdin, output, timeout=timeout))
        if output.is_too_long:
            raise SSHError(
                f"{address} answered a command with more than {MOST_OUTPUT >> 20} MB, which was stopped",
                Hint("See which command: --debug")
                | Hint("And what it prints at a login", f"ssh {session.settings.login_options} true"),
            )
        if status is None:
            if output.noise and not output.started and not session.runs_scripts:
                raise instead_of_commands(session.settings, output.noise)
            raise command_timeout(address, timeout)
        output.finish()
        session.runs_scripts = session.runs_scripts or output.started
        if output.status is None:
            session.check_alive()
        for stream in (output.stdout, output.stderr):
            if stream and session.trace and not secret:
                session.trace(stream.decode(errors="replace").rstrip("\n"))
        if not output.started:
            raise self.refusal(output.noise)
        last = last_line(output.stderr)
        if output.status is None:
            raise shell_ended(address, last)
        result = CommandResult(output.status, output.stdout, output.stderr)
        if check and result.status != 0:
            raise CommandFailed(f"{address}: {last or 'a command failed'} ({status_text(result.status)})", result)
        return result

    def follow(
        self,
        script: str,
        write: WriteOutput,
        stop: StopEvent,
        *,
        input: Input | None = None,  # noqa: A002 - as in `run`
    ) -> int | None:
        """Run a user's script in a login environment, or as root in sudo's; pass on its output, and return its status.

        On `stop`, end the script, and return None. Raises SSHError.
        """
        session, address, mark, may_run = self.session, self.session.settings.address, secrets.token_hex(16), False
        output = ScriptOutput(mark, write)
        session.trace_command(f"{self.prefix}{script}")

        def end() -> None:
            nonlocal may_run
            if output.process:
                may_run = True
                with contextlib.suppress(SSHError):
                    ended = self.run(end_command(output.process), timeout=END_SECONDS, check=False)
                    may_run = ended.status != 0

        first, line = framing.split_streamed(self.frame(script, mark, streamed=True))
        # Nothing that another attempt needs is read before.
        stdin = Stdin(first, line, input, is_ready=lambda: output.is_ready, ready_within=session.ready_within)
        status = session.transfer(Transfer(stdin, output, stop, end))
        session.runs_scripts = session.runs_scripts or output.started
        if not output.started and status is not None:
            raise self.refusal(output.noise)
        if may_run:
            raise SSHError(
                f"{address} did not confirm that it ended a command that timed out",
                Hint("It may still be running there; on the host", "ps -ef"),
            )
        if status is None or output.status is not None:
            return status if status is None else output.status
        output.finish()
        if not output.is_complete:
            if is_signalled(status):
                return status
            session.check_alive()
        raise shell_ended(address)


@dataclass(kw_only=True, eq=False, repr=False)
class SSHSession(ScriptRunner, contextlib.AbstractContextManager["SSHSession"]):
    """A login at a host. Not thread-safe."""

    settings: Settings
    # Closes the connections to the host and its jump hosts.
    stack: ExitStack
    # The known_hosts to save for the machine.
    known_hosts: bytes
    # Gets commands and output, never input.
    trace: Callable[[str], None] | None = None
    # Seconds in which a streamed script must start.
    ready_within: float | None = field(default=None, init=False)
    # Whether the host has run a script of ours.
    runs_scripts: bool = field(default=False, init=False)

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.stack.close()

    @property
    def control(self) -> str:
        """Return the socket that programs with the system's ssh can share, "" for paramiko."""
        return ""

    @property
    def user(self) -> str:
        return self.settings.user

    @property
    def session(self) -> SSHSession:
        return self

    def frame(self, script: str, mark: str, *, streamed: bool = False) -> str:
        return framing.as_user(script, mark, framing.streamed if streamed else framing.collected)

    def refusal(self, said: str) -> SSHError:
        return instead_of_commands(self.settings, said)

    def trace_command(self, shown: str) -> None:
        if self.trace:
            self.trace(f"{self.settings.login}$ {shown}")

    def check_alive(self) -> None:
        """Raises ConnectionLost."""
        if not self._is_alive():
            raise self._lost()

    @abstractmethod
    def transfer(self, given: Transfer) -> int | None:
        """Run LOGIN_COMMAND, and return the shell's status: -1 if unknown, None at a limit. Raises SSHError."""

    @abstractmethod
    def _is_alive(self) -> bool:
        """Return whether the connection is open."""

    def _lost(self, why: str = "it was closed") -> ConnectionLost:
        return ConnectionLost(
            f"The connection to {self.settings.address} was lost ({why})",
            Hint("When it is back, run the same command again; try", f"ssh {self.settings.login_options} true"),
        )


def last_line(stream: bytes) -> str:
    lines = stream.rstrip()[-TAIL:].decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else ""


@dataclass(eq=False)
class SSHLogin(ABC):
    """A login at a host by one of the two ways of SSH. `stack` ends what it starts."""

    endpoint: SSHEndpoint
    settings: Settings
    credentials: Credentials
    host_keys: HostKeys
    console: Console
    stack: ExitStack

    @abstractmethod
    def log_in(self) -> SSHSession:
        """Log in, and check the host's key before. Raises SSHError."""

    @abstractmethod
    def check_key(self) -> None:
        """Check the host's key without a login. Raises the same errors."""
