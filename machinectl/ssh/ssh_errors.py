"""Errors of SSH connections and commands, and why nobody gets in at a host, whichever SSH was used.

What usually goes wrong has its own words, the rest is in the host's. Must not import paramiko.
"""

from __future__ import annotations

import errno
import re
from functools import partial

from machinectl.errors import NO_HINT, Hint, MachineError, one_line
from machinectl.quantities import plural
from machinectl.ssh.destination import is_plain_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.ssh.destination import Settings
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

GREETING = "SSH-"
UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN}
# cloud-init's command= for root's key if root may not log in.
ANOTHER_USER = re.compile(r"login as the user \"?([^\s\"]+)\"? rather than", re.IGNORECASE)
# Longest quotes of a host's text, in characters.
LONGEST_OUTPUT, LONGEST_SAID = 200, 100
PASSWORD_METHODS = ("password", "keyboard-interactive")


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


def place(settings: Settings) -> str:
    return f"{settings.hostname} port {settings.port}"


def see_ssh(settings: Settings) -> Hint:
    return Hint("See what ssh says", f"ssh -v {settings.login_options}")


def unresolved(settings: Settings, why: str) -> SSHError:
    return SSHError(
        f"The name {settings.hostname} does not resolve: {why}",
        Hint("Check its spelling, or give its address", "getent hosts", settings.hostname),
    )


def connect_error(settings: Settings, failure: OSError) -> SSHError:
    where, try_it = place(settings), Hint("Try", "ping", settings.hostname)
    if isinstance(failure, TimeoutError) or failure.errno == errno.ETIMEDOUT:
        seconds = f"{settings.connect_timeout:.0f} s"
        return Unreachable(
            f"{where} gave no answer within {seconds}: it is off, or a firewall is in between", try_it, PORT
        )
    if failure.errno == errno.ECONNREFUSED:
        what = f"{where} refuses the connection: no SSH server listens there"
        return SSHError(what, Hint("On the host", "systemctl status ssh"), PORT)
    kind = Unreachable if failure.errno in UNREACHABLE else SSHError
    return kind(f"There is no way to {where}: {failure.strerror or failure}", try_it)


def greeting_error(settings: Settings, line: str | None, *, is_late: bool = False) -> SSHError:
    """`line` is what the server said instead of a greeting, None if nothing."""
    where, said = place(settings), one_line(line or "", LONGEST_SAID)
    look = Hint("On the host", "journalctl -u ssh") | Hint("which names PerSourcePenalties, MaxStartups or fail2ban")
    if said.startswith(REJECTING_GREETINGS):
        return SSHError(
            f"The SSH server of {where} rejects this address for now: {said!r}. "
            "It does so after several failed logins, or during many at once",
            Hint("Wait a minute, then run it again") | look,
        )
    if line is not None and not (line.startswith(GREETING) or GREETING.startswith(line)):
        return SSHError(f"{where} is not an SSH server: it says {said!r}", Hint("See what listens there"), PORT)
    if is_late:
        return SSHError(
            f"{where} took the connection and did not greet within {settings.connect_timeout:.0f} s, as SSH does",
            Hint("The host may hang: look at its console"),
            PORT,
        )
    return SSHError(
        f"{where} took the connection and closed it without a greeting: not an SSH server, or it blocks this address",
        Hint("After failed logins, wait a minute") | look,
        PORT,
    )


def login_error(settings: Settings, why: str = "") -> ConnectionLost:
    """`why` the connection ended, "" if the login took too long."""
    end = f"ended the connection before the end of the login ({why})"
    late = f"did not finish the login within {settings.connect_timeout:.0f} s"
    return ConnectionLost(f"{place(settings)} {end if why else late}", see_ssh(settings))


def no_session(settings: Settings) -> SSHError:
    return SSHError(
        f"{settings.address} opens no session for {settings.user}",
        Hint("On the host, MaxSessions in sshd_config, and", "journalctl -u ssh"),
    )


def not_forwarded(settings: Settings, jump_address: str, *, is_forbidden: bool) -> NotForwarded:
    """A jump host does not lead to the host."""
    why = "forwarding is not allowed there" if is_forbidden else "it cannot be reached from there"
    return NotForwarded(
        f"The jump host {jump_address} does not lead to {place(settings)}: {why}",
        Hint("On the jump host, AllowTcpForwarding in sshd_config, and", f"nc -vz {settings.hostname} {settings.port}"),
    )


def advise_on_jump_host(error: SSHError, settings: Settings, machine: str) -> None:
    """Tell of a jump host what the user's key, port and password, which are for the host, do not change.

    `machine` is its name, "" if it is none of ours. Raises NotForwarded for one that does not answer then.
    """
    if not isinstance(error, LoginRefused | Unreachable) and not error.setting:
        return
    hint = Hint("It is a jump host. Try", f"ssh {settings.login_options}")
    if machine:
        hint = Hint("It is a jump host. See why", "machinectl doctor", machine)
    elif isinstance(error, Unreachable):
        raise NotForwarded(error.cause, hint) from error
    error.advise(hint)


def login_refused(
    settings: Settings, tried: Sequence[str], unused: Sequence[str], methods: Sequence[str]
) -> LoginRefused:
    """`tried` and `unused` name keys; `methods` are those that the host accepts."""
    what = f"tried: {', '.join(dict.fromkeys(tried))}" if tried else "there was no key to try"
    beside = f"; not usable: {', '.join(unused)}" if unused else ""
    hint = Hint("Try", f"ssh {settings.login_options}")
    if any(method in methods for method in PASSWORD_METHODS):
        hint = Hint("Give the password: --ssh-password-file <FILE>") | Hint("or answer at a terminal")
    accepts = ", ".join(methods) or "nothing"
    cause = f"{settings.login} refuses the login ({what}{beside}); it accepts {accepts}"
    return LoginRefused(cause, hint, KEY)


def cut_off(settings: Settings, tried: Sequence[str], banner: str) -> LoginRefused:
    """The host ended the connection during the login; pam_nologin(8) and pam_unix(8) say why in a banner."""
    said = one_line(banner, LONGEST_SAID)
    why = Hint("If it is starting up or shutting down, wait, and run this again") | Hint(
        "else, on the host", "journalctl -u ssh"
    )
    return LoginRefused(
        f"{settings.address} ended the connection after {plural(len(tried) or 1, 'attempt')} to log in as "
        f"{settings.user}: {', '.join(dict.fromkeys(tried)) or 'none of ours'}{f'; it said {said!r}' if said else ''}",
        why if said else Hint("It allows a few attempts; check the password"),
        KEY,
    )


def instead_of_commands(settings: Settings, said: str) -> NoShell:
    """Return why a host runs no commands."""
    another = ANOTHER_USER.search(said)
    setting = ""
    # A person types this name as part of a command: allow only safe characters.
    if another and is_plain_name(another[1]):
        hint = Hint(f"Log in as that user: --ssh-user {another[1]}")
    else:
        setting = USER
        hint = Hint("Give this user a shell, as root on the host", f"chsh -s /bin/sh {settings.user}") | Hint(
            f"or look on the host for command= in ~{settings.user}/.ssh/authorized_keys, ForceCommand and "
            "ChrootDirectory in sshd_config, and exec or read in a start-up file such as ~/.bashrc"
        )
    words = one_line(said.strip()[-LONGEST_OUTPUT:], LONGEST_OUTPUT)
    says = f"it says {words!r}" if words else "it prints nothing"
    return NoShell(f"{settings.user} can log in at {settings.address} but run no commands: {says}", hint, setting)
