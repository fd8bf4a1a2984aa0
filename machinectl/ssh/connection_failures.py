"""Say why nobody gets in at a host, whichever SSH was used: what usually goes wrong, the rest in the host's words.

Must not import paramiko.
"""

from __future__ import annotations

import errno
import re
from collections import Counter

from machinectl.errors import Hint, one_line
from machinectl.quantities import plural
from machinectl.ssh.ssh_errors import (
    KEY,
    PORT,
    REJECTING_GREETINGS,
    USER,
    ConnectionLost,
    LoginRefused,
    NoShell,
    NotForwarded,
    SSHError,
    Unreachable,
)
from machinectl.ssh.ssh_settings import NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.ssh.ssh_settings import Settings

GREETING = "SSH-"
UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN}
# cloud-init's command= for root's key if root may not log in.
ANOTHER_USER = re.compile(r"login as the user \"?([^\s\"]+)\"? rather than", re.IGNORECASE)
# Longest quotes of a host's text, in characters.
LONGEST_OUTPUT, LONGEST_SAID = 200, 100
PASSWORD_METHODS = ("password", "keyboard-interactive")


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


def handshake_error(settings: Settings, why: str = "") -> ConnectionLost:
    """`why` the connection ended, "" if the handshake took too long."""
    end = f"ended the connection during the handshake ({why})"
    late = f"did not finish the handshake within {settings.connect_timeout:.0f} s"
    return ConnectionLost(f"{place(settings)} {end if why else late}", see_ssh(settings))


def lost_during_login(settings: Settings, why: str = "") -> ConnectionLost:
    """`why` the connection ended, "" if there was no answer."""
    how = f"ended the connection during the login ({why})" if why else "gave no answer during the login"
    return ConnectionLost(f"{settings.address} {how}", see_ssh(settings))


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
    settings: Settings, tried: Sequence[str], unused: Sequence[str], methods: Sequence[str], accepted: str = ""
) -> LoginRefused:
    """`tried` and `unused` name keys; `methods` are those that the host accepts after the key `accepted`, if any."""
    what = f"tried: {tried_once(tried)}" if tried else "there was no key to try"
    beside = f"; not usable: {', '.join(unused)}" if unused else ""
    more = f"; it accepts {accepted} and wants more" if accepted else ""
    hint = Hint("Try", f"ssh {settings.login_options}")
    if any(method in methods for method in PASSWORD_METHODS):
        hint = Hint("Give the password: --ssh-password-file <FILE>") | Hint("or answer at a terminal")
    accepts = ", ".join(methods) or "nothing"
    cause = f"{settings.login} refuses the login ({what}{beside}{more}); it accepts {accepts}"
    return LoginRefused(cause, hint, "" if accepted else KEY)


def cut_off(settings: Settings, tried: Sequence[str], banner: str) -> LoginRefused:
    """The host ended the connection during the login; pam_nologin(8) and pam_unix(8) say why in a banner."""
    said = one_line(banner, LONGEST_SAID)
    why = Hint("If it is starting up or shutting down, wait, and run this again") | Hint(
        "else, on the host", "journalctl -u ssh"
    )
    return LoginRefused(
        f"{settings.address} ended the connection after {plural(len(tried) or 1, 'attempt')} to log in as "
        f"{settings.user}: {tried_once(tried) or 'none of ours'}{f'; it said {said!r}' if said else ''}",
        why if said else Hint("It allows a few attempts; check the password"),
        KEY,
    )


def tried_once(tried: Sequence[str]) -> str:
    """Return what was tried, and how often if that was more than once."""
    times = Counter(tried)
    return ", ".join(what if count == 1 else f"{what} ({count} times)" for what, count in times.items())


def instead_of_commands(settings: Settings, said: str) -> NoShell:
    """Return why a host runs no commands."""
    another = ANOTHER_USER.search(said)
    setting = ""
    # A person types this name as part of a command: allow only safe characters.
    if another and re.fullmatch(NAME, another[1]):
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
