"""Errors between here and a command on the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.errors import MachineError, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.ssh.runner import CommandResult


# Enough for all that was tried at a login. Characters.
LONGEST = 1000
# Parts of hints for a new machine. For an existing one, `hosts.connection` replaces them by commands.
ANOTHER_PORT = "where SSH listens on another port, create and set take --generic-ssh-port"
ANOTHER_KEY = "--generic-ssh-key PATH"
# How sshd greets a client that it rejects for now: MaxStartups, and PerSourcePenalties, the default since 9.8
# (sshd-session.c, srclimit.c).
REJECTING_GREETINGS = ("Not allowed at this time", "Exceeded MaxStartups")


class SSHError(MachineError):
    """The host cannot be reached, refuses the login, or did not do what it was asked to.

    The cause may quote the server: it is kept on one line, so that no line of the server looks like ours.
    """

    def __init__(self, cause: str, hint: str = "") -> None:
        # Both may quote a server.
        super().__init__(one_line(cause, LONGEST), one_line(hint, LONGEST))


class Unreachable(SSHError):
    """No address of the host answers: it is off, or a firewall is in between."""


class ConnectionLost(SSHError):
    """The connection ended; the command may or may not have been carried out."""


class HostKeyRefused(SSHError):
    """The host's key is not trusted; nothing was sent to it."""


class LoginRefused(SSHError):
    """The host accepts none of our keys and passwords."""


class Unsupported(SSHError):
    """An algorithm that our own SSH lacks; the system's ssh may have it.

    `keyword` is the option of ssh_config for the kind of algorithm, `offered` lists the server's algorithms.
    """

    def __init__(self, cause: str, hint: str = "", keyword: str = "", offered: Sequence[str] = ()) -> None:
        super().__init__(cause, hint)
        self.keyword = keyword
        self.offered = tuple(offered)


class TokenNeeded(Unsupported):
    """The key that the host accepts is on a security token."""


class NoShell(SSHError):
    """The login works but runs no commands: nologin, a forced command, a restricted shell."""


class CommandTimeout(SSHError):
    """The command did not end in time; it may still be running on the host."""


class CommandFailed(SSHError):
    """The command ended with a status other than 0; `result` holds its output."""

    def __init__(self, cause: str, hint: str, result: CommandResult) -> None:
        super().__init__(cause, hint)
        self.result = result


class RootRefused(SSHError):
    """The user cannot become root; the message holds the sudoers line that would allow it."""


def command_timeout(address: str, seconds: float) -> CommandTimeout:
    return CommandTimeout(
        f"{address} did not finish a command within {seconds:.0f} s",
        "It may still be running there; see which: --debug",
    )


def no_status(address: str) -> SSHError:
    """Return the error for a script that ended without a valid exit status."""
    return SSHError(f"{address} ended a command without an exit status", "See each command and its output: --debug")


def shell_ended(address: str, said: str = "") -> SSHError:
    """Return the error for a script whose shell was ended from outside."""
    return SSHError(
        f"{address} ended a command early{said and f': {said}'}",
        "Look on the host for a signal to its shell, or a lack of memory: journalctl -e",
    )


def may_run(address: str) -> SSHError:
    """Return the error for a command that may still run after its timeout."""
    return SSHError(
        f"{address} did not confirm that it ended a command that timed out",
        "It may still be running there; on the host: ps -ef",
    )
