"""Run a script by one ssh, without prompts and without a login before: it starts fast, and many use all CPUs."""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.errors import Hint
from machinectl.files.spool_directory import temporary_directory
from machinectl.process_streams import run_streamed
from machinectl.ssh.framing import LOGIN_COMMAND
from machinectl.ssh.openssh import multiplexing
from machinectl.ssh.openssh.login_log import LoginLog, read_logs
from machinectl.ssh.openssh.ssh_options import COMMANDS_ONLY, JUMP_LOG, WITH_INPUT, openssh_command, option_words
from machinectl.ssh.session import SSHSession
from machinectl.ssh.ssh_errors import UNREACHABLE, ConnectionLost, SSHError
from machinectl.ssh.ssh_settings import DEFAULTS, choose_settings

if TYPE_CHECKING:
    import subprocess

    from machinectl.process_streams import Input, StopEvent, WriteOutput
    from machinectl.ssh.destination import SSHEndpoint
    from machinectl.ssh.session import Transfer

# `connect` diagnoses a host that does not answer in this time.
CONNECT_SECONDS = 15
# ssh says this of a host that does not answer.
SILENT = {os.strerror(number) for number in (errno.ETIMEDOUT, *UNREACHABLE)}
# ssh's own exit status (ssh(1), EXIT STATUS).
SSH_FAILED = 255
# How long a kept connection may take to start a script, in seconds: ssh notices a lost host only after a minute.
KEPT_SECONDS = 5.0
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
    pins: str,
    script: str,
    write: WriteOutput,
    stop: StopEvent,
    *,
    input: Input | None = None,  # noqa: A002
    kept: str = "",
) -> int | None:
    """Return the exit status; None on `stop`, after the script ended.

    `pins` is the path of known_hosts, `kept` a kept connection's socket. Raises NotStarted, or SSHError if something
    else ended the script.
    """
    # Without a query of ssh: these are for messages only.
    settings = choose_settings(endpoint, DEFAULTS)
    session = DirectSession(
        settings=settings, stack=ExitStack(), known_hosts=b"", endpoint=endpoint, pins=pins, kept=kept
    )
    if multiplexing.is_open(kept):
        session.ready_within = KEPT_SECONDS
        try:
            return session.follow(script, write, stop, input=input)
        except NotStarted:
            # The host has not seen the script: it is safe to send it again.
            multiplexing.close_connection(kept, endpoint.host)
            session.ready_within = None
    return session.follow(script, write, stop, input=input)


@dataclass(kw_only=True, eq=False, repr=False)
class DirectSession(SSHSession):
    endpoint: SSHEndpoint
    pins: str
    kept: str

    def __post_init__(self) -> None:
        self._status: int | None = None
        self._log = LoginLog("")

    def transfer(self, given: Transfer) -> int | None:
        output, stop = given.output, given.stop

        def end(process: subprocess.Popen[bytes]) -> None:
            # End the script before its connection closes: SIGPIPE could end a script that still writes.
            if given.end and output.started:
                given.end()
            else:
                process.terminate()

        with temporary_directory() as directory:
            # ssh's own messages go to a file: the host cannot write to it.
            log = os.path.join(directory, "log")
            try:
                options = option_words({**OPTIONS, **multiplexing.socket_options(self.kept)})
                command = openssh_command(
                    self.endpoint, known_hosts=self.pins, log=log, arguments=[*options, "-T", LOGIN_COMMAND]
                )
                self._status = run_streamed(
                    command, output.take, stop, stdin=given.stdin, end=end, timeout=given.timeout
                )
            except OSError as exc:
                raise NotStarted(f"ssh cannot be started: {exc.strerror}") from exc
            self._log = read_logs(log, JUMP_LOG)
        is_late = self._status is None and stop and not (stop.is_set or output.is_ready)
        if is_late or (self._status is not None and not output.started):
            why = self._log.unconnected
            is_silent = self._log.is_late or (why is not None and why[2] in SILENT)
            raise NotStarted(self._log.last_line or "ssh gives no reason", is_silent=is_silent)
        return self._status

    def _is_alive(self) -> bool:
        return self._status != SSH_FAILED

    def _lost(self, why: str = "") -> ConnectionLost:
        hint = Hint("The command may still be running there")
        return ConnectionLost(f"The connection to {self.settings.address} was lost{why}", hint)
