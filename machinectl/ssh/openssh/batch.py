"""Run a script through the system's ssh, without prompts.

Unlike paramiko, it starts fast and can use all CPUs.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.errors import Hint, one_line
from machinectl.files.spool_directory import temporary_directory
from machinectl.process_streams import Stdin, run_streamed
from machinectl.ssh import framing
from machinectl.ssh.openssh import multiplexing
from machinectl.ssh.openssh.login_log import LoginLog, read_log, read_logs
from machinectl.ssh.openssh.ssh_options import COMMANDS_ONLY, JUMP_LOG, WITH_INPUT, openssh_command, option_words
from machinectl.ssh.script_output import CollectedOutput, ScriptOutput, end_command, final_status
from machinectl.ssh.ssh_errors import ConnectionLost, SSHError

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping

    from machinectl.process_streams import Input, StopEvent, WriteOutput
    from machinectl.ssh.destination import SSHEndpoint

# `connect` diagnoses a host that does not answer in this time.
CONNECT_SECONDS = 15
# ssh's own exit status (ssh(1), EXIT STATUS).
SSH_FAILED = 255
# How long ending a script may take, in seconds.
END_SECONDS = 10.0
# How long a kept connection may take to start a script, in seconds: ssh notices a lost host only after a minute.
KEPT_SECONDS = 5.0
# ssh's message if its connection ended, not just its command (OpenSSH's clientloop.c and packet.c).
LOST = (
    r"^(Connection to .+ closed by remote host|Timeout, server .+ not responding|client_loop: |packet_write_|"
    r"Connection (reset|closed) |Read from remote host|Write failed|ssh_dispatch_run_fatal: |Received disconnect from|"
    r"Disconnected from|mux_client_)"
)
OPTIONS = {
    **COMMANDS_ONLY,
    **WITH_INPUT,
    "LogLevel": "INFO",
    "BatchMode": "yes",
    "ConnectTimeout": str(CONNECT_SECONDS),
    "ServerAliveInterval": "15",
    "ServerAliveCountMax": "3",
}


class NotStarted(SSHError):
    """The script did not start; the cause is ssh's message. `is_silent`: the host did not answer."""

    def __init__(self, cause: str, *, is_silent: bool = False) -> None:
        super().__init__(cause)
        self.is_silent = is_silent


def follow(
    endpoint: SSHEndpoint,
    known_hosts: str,
    script: str,
    write: WriteOutput,
    stop: StopEvent,
    *,
    input: Input | None = None,  # noqa: A002
    control: str = "",
) -> int | None:
    """Return the exit status; None on `stop`, after the script ended.

    `known_hosts` is a path, `control` a kept connection's socket. Raises NotStarted, or SSHError if something else
    ended the script.
    """
    attempt = Attempt(endpoint, known_hosts, control)
    if multiplexing.is_open(control):
        try:
            return attempt.follow(script, write, stop, input, starts_within=KEPT_SECONDS)
        except NotStarted:
            # The host has not seen the script: it is safe to send it again.
            multiplexing.close_connection(control, endpoint.host)
    return attempt.follow(script, write, stop, input)


@dataclass(frozen=True)
class Attempt:
    """`control` may be ""."""

    endpoint: SSHEndpoint
    known_hosts: str
    control: str

    def follow(
        self,
        script: str,
        write: WriteOutput,
        stop: StopEvent,
        given: Input | None,
        *,
        starts_within: float | None = None,
    ) -> int | None:
        """Raises NotStarted, too, after `starts_within` seconds."""
        with temporary_directory() as directory:
            # ssh's own messages go to a file: the host cannot write to it.
            log = os.path.join(directory, "log")
            return self._follow(script, write, stop, given, starts_within, log)

    def _follow(
        self,
        script: str,
        write: WriteOutput,
        stop: StopEvent,
        given: Input | None,
        starts_within: float | None,
        log: str,
    ) -> int | None:
        mark = secrets.token_hex(16)
        output = ScriptOutput(mark, write)

        def end(process: subprocess.Popen[bytes]) -> None:
            # End the script before its connection closes: SIGPIPE could end a script that still writes.
            if output.process:
                output.may_run = not self.end(output.process)
            else:
                process.terminate()

        first, line = framing.split_streamed(framing.as_user(script, mark, framing.streamed))
        # A failed ssh must not read input that the next attempt needs.
        stdin = Stdin(first, line, given, is_ready=lambda: output.is_ready, ready_within=starts_within)
        try:
            output.shell_status = run_streamed(
                self.command(multiplexing.socket_options(self.control), log), output.take, stop, stdin=stdin, end=end
            )
        except OSError as exc:
            raise NotStarted(f"ssh cannot be started: {exc.strerror}") from exc
        if output.shell_status is None and not output.may_run and not stop.is_set:
            raise NotStarted(f"{self.endpoint.host} did not begin the command within {starts_within:.0f} s")
        if output.shell_status is not None and not output.started:
            said = read_logs(log, JUMP_LOG)
            printed = output.noise.strip().splitlines() or ["it gives no reason"]
            raise NotStarted(one_line(said.last_line or printed[-1]), is_silent=said.is_host_silent)
        return final_status(output, self.endpoint.host, lambda: self.find_loss(output, read_log(log)))

    def find_loss(self, output: ScriptOutput, log: LoginLog) -> ConnectionLost | None:
        # An ssh that uses another's connection does not report its loss.
        is_gone = self.control and not multiplexing.is_open(self.control)
        if output.shell_status == SSH_FAILED and (log.find(LOST) or is_gone):
            hint = Hint("The command may still be running there")
            return ConnectionLost(f"The connection to {self.endpoint.host} was lost", hint)
        return None

    def end(self, process: int) -> bool:
        """Return whether the host confirmed the end."""
        mark = secrets.token_hex(16)
        output = CollectedOutput(mark)
        stdin = Stdin(framing.as_user(end_command(process), mark).encode())
        with contextlib.suppress(OSError):
            command = self.command(multiplexing.socket_options(self.control, master=False))
            run_streamed(command, output.take, stdin=stdin, timeout=END_SECONDS)
        return output.status == 0

    def command(self, control: Mapping[str, str], log: str = "") -> list[str]:
        """`control` has the socket's options."""
        arguments = [*option_words({**OPTIONS, **control}), "-T", framing.LOGIN_COMMAND]
        return openssh_command(self.endpoint, known_hosts=self.known_hosts, log=log, arguments=arguments)
