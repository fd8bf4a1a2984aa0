"""Errors of SSH connections and commands."""

from __future__ import annotations

from functools import partial

from machinectl.errors import NO_HINT, Hint, MachineError, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.ssh.runner import CommandResult


# Enough for all login attempts, in characters.
LONGEST = 1000
# Settings of a machine that may be wrong.
PORT, KEY, USER = "ssh-port", "ssh-key", "ssh-user"
SETTINGS = {
    PORT: ("if SSH listens on another port", "<PORT>"),
    KEY: ("or name the right key", "<PATH>"),
    USER: ("or log in as another user", "<USER>"),
}
# sshd's greetings for a client that it rejects for now: MaxStartups, and PerSourcePenalties, on by default since 9.8
# (sshd-session.c, srclimit.c).
REJECTING_GREETINGS = ("Not allowed at this time", "Exceeded MaxStartups")


class SSHError(MachineError):
    """Keeps cause and hint in one line each: a quoted server must not imitate our messages.

    `setting` may be wrong: the hint has the flag of a new machine; `advice` is the rest of it.
    """

    def __init__(self, cause: str, hint: Hint = NO_HINT, setting: str = "") -> None:
        self.advice, self.setting = hint.rewritten(partial(one_line, limit=LONGEST)), setting
        flag = Hint(f"{SETTINGS[setting][0]}: --{setting} {SETTINGS[setting][1]}") if setting else NO_HINT
        super().__init__(one_line(cause, LONGEST), self.advice | flag)

    def advise(self, hint: Hint) -> None:
        """Replace the hint."""
        self.hint, self.advice, self.setting = hint, hint, ""


class Unreachable(SSHError):
    """No address of the host answers."""


class NotForwarded(SSHError):
    """A jump host or a proxy does not lead to the host."""


class ConnectionLost(SSHError):
    """The connection ended; the command may have run."""


class HostKeyRefused(SSHError):
    """The host's key is not trusted; nothing was sent. `shown` is its fingerprint if another one is known."""

    def __init__(self, cause: str, hint: Hint = NO_HINT, shown: str = "") -> None:
        super().__init__(cause, hint)
        self.shown = shown


class LoginRefused(SSHError):
    """The host accepts no key or password."""


class NoKey(SSHError):
    """The file of the key to log in with is missing."""

    def __init__(self, path: str) -> None:
        super().__init__(f"There is no key {path}", Hint("See", "ls -l", path))
        self.path = path


class Unsupported(SSHError):
    """The host needs what the chosen way of SSH lacks: an algorithm, a proxy, a second jump host."""


class NoShell(SSHError):
    """The login works but runs no commands."""


class CommandTimeout(SSHError):
    """A timeout; the command may still run."""


class CommandFailed(SSHError):
    """`result` has the output."""

    def __init__(self, cause: str, result: CommandResult) -> None:
        super().__init__(cause, Hint("See each command and its output: --debug"))
        self.result = result


class RootRefused(SSHError):
    """The user cannot become root."""


def command_timeout(address: str, seconds: float) -> CommandTimeout:
    return CommandTimeout(
        f"{address} did not finish a command within {seconds:.0f} s",
        Hint("It may still be running there; see which: --debug"),
    )


def shell_ended(address: str, said: str = "") -> SSHError:
    return SSHError(
        f"{address} ended a command early{said and f': {said}'}",
        Hint("Look on the host for a signal to its shell, or a lack of memory", "journalctl -e"),
    )
