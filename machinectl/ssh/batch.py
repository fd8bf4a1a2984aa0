"""A command by the system's ssh alone, where nobody needs to be asked: a process for each host, on all processors.

paramiko's sessions share one; and to load it takes longer than a command. No paramiko here.
"""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING

from machinectl.errors import one_line
from machinectl.piping import Over, piped
from machinectl.ssh import framing
from machinectl.ssh.errors import ConnectionLost, SSHError
from machinectl.ssh.following import Following, end_command
from machinectl.ssh.openssh import COMMANDS_ONLY, WITH_INPUT, as_arguments, openssh_command

if TYPE_CHECKING:
    import subprocess

    from machinectl.piping import Input
    from machinectl.ssh.endpoint import SSHEndpoint
    from machinectl.ssh.following import Say

# Of a host that gives no answer for so long, `connect` finds out more.
CONNECT_SECONDS = 15
# What ssh itself ends with (ssh(1), EXIT STATUS).
SSH_FAILED = 255
# How long what ends a command may take, in seconds.
END_SECONDS = 10.0
OPTIONS = {
    **COMMANDS_ONLY,
    **WITH_INPUT,
    "BatchMode": "yes",
    # One that is there is used. A new one would stay, with our pipes in its hands.
    "ControlMaster": "no",
    "ConnectTimeout": str(CONNECT_SECONDS),
    "ServerAliveInterval": "15",
    "ServerAliveCountMax": "3",
}


class NotBegun(SSHError):
    """The system's ssh did not get as far as the command: its cause is what it said."""


def follow(
    endpoint: SSHEndpoint,
    known_hosts: str,
    script: str,
    say: Say,
    over: Over,
    *,
    input: Input | None = None,  # noqa: A002
) -> int | None:
    """Run a script of sh as the user who logs in, and pass on what it prints as it comes; return its exit status.

    `known_hosts` is the path of the machine's. None where it was `over` before; the script has been ended then. Raises
    NotBegun where nothing was begun, SSHError where it was ended otherwise.
    """
    mark = secrets.token_hex(16)
    following = Following(mark, say)
    lines = framing.as_user(script, mark, framing.followed)

    def leave(process: subprocess.Popen[bytes]) -> None:
        # Before its connection goes: who writes to nobody dies of that, and not as it is told to.
        if following.process:
            end(endpoint, known_hosts, following.process)
        else:
            process.terminate()

    try:
        ended = piped(
            command(endpoint, known_hosts),
            following.hear,
            over,
            data=lines.encode(errors="surrogateescape"),
            input=input,
            end=leave,
        )
    except OSError as exc:
        raise NotBegun(f"ssh cannot be started: {exc.strerror}") from exc
    if over.is_set:
        return None
    if following.status is not None:
        return following.status
    if not following.started:
        said = following.noise.strip().splitlines() or ["it gives no reason"]
        raise NotBegun(one_line(said[-1]))
    following.finish()
    if ended == SSH_FAILED:
        raise ConnectionLost(f"The connection to {endpoint.host} was lost", "The command may still be running there")
    raise SSHError(
        f"{endpoint.host} ended a command before its time",
        "On the host: journalctl -e (a signal, or memory that ran out)",
    )


def end(endpoint: SSHEndpoint, known_hosts: str, process: int) -> None:
    """End a process on a host, and what it started, as well as it can be done in a moment."""
    late = Over()
    timer = threading.Timer(END_SECONDS, late.set)
    timer.daemon = True
    timer.start()
    mark = secrets.token_hex(16)
    lines = framing.as_user(end_command(process), mark, framing.followed)
    piped(command(endpoint, known_hosts), Following(mark, lambda _, __: None).hear, late, data=lines.encode())
    timer.cancel()


def command(endpoint: SSHEndpoint, known_hosts: str) -> list[str]:
    """The system's ssh with a login shell that takes what is sent to it."""
    return openssh_command(
        endpoint, known_hosts=known_hosts, arguments=[*as_arguments(OPTIONS), "-T", framing.LOGIN_COMMAND]
    )
