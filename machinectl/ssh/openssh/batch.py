"""A command by the system's ssh alone, where nobody needs to be asked: a process for each host, on all processors.

paramiko's sessions share one; and to load it takes longer than a command. No paramiko here.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from functools import partial
from typing import TYPE_CHECKING

from machinectl.errors import one_line
from machinectl.process_streams import run_streamed
from machinectl.ssh import framing
from machinectl.ssh.openssh import multiplexing
from machinectl.ssh.openssh.command_line import COMMANDS_ONLY, WITH_INPUT, as_arguments, openssh_command
from machinectl.ssh.script_output import ScriptOutput, end_command
from machinectl.ssh.signals import is_signalled
from machinectl.ssh.ssh_errors import ConnectionLost, SSHError, may_run, no_status, shell_ended

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping

    from machinectl.process_streams import Input, StopEvent
    from machinectl.ssh.destination import SSHEndpoint
    from machinectl.ssh.script_output import WriteOutput

# Of a host that gives no answer for so long, `connect` finds out more.
CONNECT_SECONDS = 15
# What ssh itself ends with (ssh(1), EXIT STATUS).
SSH_FAILED = 255
# How long what ends a command may take, in seconds.
END_SECONDS = 10.0
# How long a connection that was kept may take to begin a command: the host may be gone, and its end come in a minute.
KEPT_SECONDS = 5.0
# ssh's last message if its connection ended, and not just its command (OpenSSH's clientloop.c and packet.c); and how
# many of the last bytes are searched for it.
LOST = re.compile(
    rb"^(Connection to .+ closed by remote host|Timeout, server .+ not responding|client_loop: |packet_write_|"
    rb"Connection (reset|closed) |Read from remote host|Write failed|ssh_dispatch_run_fatal: |Received disconnect from|"
    rb"Disconnected from|mux_client_)",
    re.MULTILINE,
)
LAST_SAID = 1024
OPTIONS = {
    **COMMANDS_ONLY,
    **WITH_INPUT,
    "BatchMode": "yes",
    "ConnectTimeout": str(CONNECT_SECONDS),
    "ServerAliveInterval": "15",
    "ServerAliveCountMax": "3",
}


class NotStarted(SSHError):
    """The system's ssh did not get as far as the command: its cause is what it said."""


def follow(
    endpoint: SSHEndpoint,
    known_hosts: str,
    script: str,
    say: WriteOutput,
    over: StopEvent,
    *,
    input: Input | None = None,  # noqa: A002
    control: str = "",
) -> int | None:
    """Run a script of sh as the user who logs in, and pass on what it prints as it comes; return its exit status.

    `known_hosts` is the path of the machine's, `control` that of the socket of a connection that is used and kept. None
    where it was `over` before; the script has been ended then. Raises NotBegun where nothing was begun, SSHError where
    it was ended otherwise.
    """
    once = partial(follow_once, endpoint, known_hosts, script, say, over, input=input, control=control)
    if multiplexing.is_open(control):
        try:
            return once(begins_within=KEPT_SECONDS)
        except NotStarted:
            # The host has not seen the script: it is safe to send it again.
            multiplexing.close(control, endpoint.host)
    return once()


def follow_once(
    endpoint: SSHEndpoint,
    known_hosts: str,
    script: str,
    say: WriteOutput,
    over: StopEvent,
    *,
    input: Input | None,  # noqa: A002
    control: str,
    begins_within: float | None = None,
) -> int | None:
    """`follow` over one connection; raise NotBegun, too, if the script has not begun within so many seconds."""
    mark = secrets.token_hex(16)
    following = ScriptOutput(mark, say)
    first, line = framing.parted(framing.as_user(script, mark, framing.followed))
    # The end of stderr, where ssh's own messages come.
    last = b""

    def hear(data: bytes, on_stderr: bool) -> bool:
        nonlocal last
        if on_stderr:
            last = (last + data)[-LAST_SAID:]
        return following.hear(data, on_stderr)

    def leave(process: subprocess.Popen[bytes]) -> None:
        # Before its connection goes: who writes to nobody dies of that, and not as it is told to.
        if following.process:
            following.may_run = not end(endpoint, known_hosts, following.process, control)
        else:
            process.terminate()

    try:
        ended = run_streamed(
            command(endpoint, known_hosts, multiplexing.options(control)),
            hear,
            over,
            first=first,
            data=line,
            input=input,
            # Input that a failed ssh has read is lost to the next attempt.
            is_ready=lambda: following.is_ready,
            ready_within=begins_within,
            end=leave,
        )
    except OSError as exc:
        raise NotStarted(f"ssh cannot be started: {exc.strerror}") from exc
    if ended is None and following.may_run:
        raise may_run(endpoint.host)
    if ended is None and not over.is_set:
        raise NotStarted(f"{endpoint.host} did not begin the command within {begins_within:.0f} s")
    if ended is None:
        return None
    if following.status is not None:
        return following.status
    if not following.started:
        said = following.noise.strip().splitlines() or ["it gives no reason"]
        raise NotStarted(one_line(said[-1]))
    following.finish()
    if following.is_whole:
        raise no_status(endpoint.host)
    if is_signalled(ended):
        return ended
    # The ssh that uses another one's connection does not say that it was lost.
    if ended == SSH_FAILED and (LOST.search(last) or (control and not multiplexing.is_open(control))):
        raise ConnectionLost(f"The connection to {endpoint.host} was lost", "The command may still be running there")
    raise shell_ended(endpoint.host)


def end(endpoint: SSHEndpoint, known_hosts: str, process: int, control: str) -> bool:
    """Try to end a process on a host and its children; return whether the host confirmed it."""
    mark = secrets.token_hex(16)
    lines = framing.as_user(end_command(process), mark, framing.followed).encode()
    ending = ScriptOutput(mark, lambda _, __: None)
    with contextlib.suppress(OSError):
        over_it = command(endpoint, known_hosts, multiplexing.options(control, master=False))
        run_streamed(over_it, ending.hear, first=lines, timeout=END_SECONDS)
    return ending.status == 0


def command(endpoint: SSHEndpoint, known_hosts: str, control: Mapping[str, str]) -> list[str]:
    """The system's ssh with a login shell that takes what is sent to it; `control` are its options for a socket."""
    arguments = [*as_arguments({**OPTIONS, **control}), "-T", framing.LOGIN_COMMAND]
    return openssh_command(endpoint, known_hosts=known_hosts, arguments=arguments)
