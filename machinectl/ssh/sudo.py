"""Becoming root: as root logged in, by sudo without a password, or by sudo with one, which goes through stdin."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from machinectl.ssh import framing
from machinectl.ssh.credentials import TRIES, ask
from machinectl.ssh.errors import RootRefused
from machinectl.ssh.runner import COMMAND_TIMEOUT, Result
from machinectl.ssh.session import last_line

if TYPE_CHECKING:
    from machinectl.console import Console
    from machinectl.ssh.credentials import Credentials
    from machinectl.ssh.runner import Runner
    from machinectl.ssh.session import Session

# What probe_command's script prints.
ROOT, ABSENT, FREE, WANTS_PASSWORD, NO_TERMINAL = "root", "absent", "free", "password", "terminal"

# sudo's own words and sudo-rs's (Ubuntu's since 25.10), in English as LC_ALL=C makes them.
NOT_ALLOWED = re.compile(
    rb"not in the sudoers file|may not run sudo|is not allowed to (execute|run)|I'm afraid I can't do that"
)
WRONG_PASSWORD = re.compile(
    rb"try again|incorrect password|[Aa]uthentication fail|no password was provided", re.IGNORECASE
)
NEEDS_TERMINAL = re.compile(rb"must have a tty")


def probe_command(*, terminal: bool = False) -> str:
    """Says how root can be had. `sudo -n` is tried first: with NOPASSWD, a password sent would stay in stdin."""
    makes_one = f"elif ! command -v script >/dev/null; then echo {NO_TERMINAL}\n" if terminal else ""
    return (
        f"{framing.system_programs()}\n"
        f'if [ "$(id -u)" = 0 ]; then echo {ROOT}\n'
        f"elif ! command -v sudo >/dev/null; then echo {ABSENT}\n"
        f"{makes_one}"
        f"elif {framing.sudo_command(':', terminal=terminal)}; then echo {FREE}\n"
        f"else echo {WANTS_PASSWORD}; fi"
    )


def check_password_command(*, terminal: bool = False) -> str:
    """Tries the password on its input, once: at the end of the input sudo asks no second time."""
    return f"{framing.system_programs()}\n" + framing.sudo_command(":", password=True, terminal=terminal)


class Root:
    """Runs commands as root through sudo; see Runner."""

    def __init__(self, session: Session, password: str | None, *, terminal: bool) -> None:
        self._session = session
        self._password = password
        self._terminal = terminal

    def __repr__(self) -> str:
        return f"Root({self._session.settings.login})"

    def run(
        self,
        script: str,
        *,
        input: bytes = b"",  # noqa: A002 - subprocess.run's name for it
        timeout: float = COMMAND_TIMEOUT,
        check: bool = True,
        shown: str = "",
    ) -> Result:
        """Run a script as root. Raises RootRefused where sudo does not let it any more."""
        framed = self._session.exchange(
            lambda mark: framing.as_root(script, mark, password=self._password, terminal=self._terminal),
            f"sudo: {shown or script}",
            input,
            timeout,
        )
        if not framed.started:
            raise refused(self._session, Result(1, b"", framed.noise))
        return self._session.result(framed, check=check)


def elevate(session: Session, credentials: Credentials, console: Console) -> Runner:
    """What runs commands as root on the host. Raises RootRefused with the sudoers line that would allow it."""
    if session.user == "root":
        return session
    probe = session.run(probe_command())
    terminal = NEEDS_TERMINAL.search(probe.stderr) is not None
    if terminal:
        probe = session.run(probe_command(terminal=True))
    if probe.text == ROOT:
        return session
    if probe.text == FREE:
        return Root(session, None, terminal=terminal)
    if probe.text != WANTS_PASSWORD or NOT_ALLOWED.search(probe.stderr):
        raise refused(session, probe)
    return Root(session, find_password(session, credentials, console, terminal=terminal), terminal=terminal)


def find_password(session: Session, credentials: Credentials, console: Console, *, terminal: bool) -> str:
    """The password given, or one typed, that sudo takes."""
    if credentials.sudo_password is not None:
        if try_password(session, credentials.sudo_password, terminal=terminal):
            return credentials.sudo_password
        raise RootRefused(
            f"sudo at {session.settings.address} does not take the password given for {session.user}",
            f"Try it there: sudo -v; or let {session.user} do without one: {sudoers(session.user)}",
        )
    for _ in range(TRIES):
        password = ask(console, f"Password of {session.user} for sudo at {session.settings.address}")
        if password is None:
            break
        if try_password(session, password, terminal=terminal):
            credentials.sudo_password = password
            return password
        console.warn("sudo does not take that password")
    else:
        raise RootRefused(
            f"The password for sudo at {session.settings.address} was wrong {TRIES} times",
            f"Let {session.user} do without one: {sudoers(session.user)}",
        )
    raise RootRefused(
        f"sudo at {session.settings.address} wants the password of {session.user}",
        f"Give --sudo-password-file FILE or MACHINECTL_SUDO_PASSWORD, or let {session.user} do without: "
        f"{sudoers(session.user)}",
    )


def try_password(session: Session, password: str, *, terminal: bool) -> bool:
    """Whether sudo takes a password. Raises RootRefused where it isn't the password that is wrong."""
    line = f"{password}\n".encode(errors="surrogateescape")
    result = session.run(check_password_command(terminal=terminal), input=line, check=False)
    if result.status == 0:
        return True
    if NOT_ALLOWED.search(result.stderr) or not WRONG_PASSWORD.search(result.stderr):
        raise refused(session, result)
    return False


def refused(session: Session, result: Result) -> RootRefused:
    """Why there is no root, and what to do about it: from what a probe printed, or sudo said."""
    user, address = session.user, session.settings.address
    if result.text == ABSENT:
        return RootRefused(
            f"{user} is not root at {address}, and there is no sudo there",
            f"Log in as root, --generic-ssh-user root; or on the host, as root: install sudo, then {sudoers(user)}",
        )
    if result.text == NO_TERMINAL:
        return RootRefused(
            f"sudo at {address} wants a terminal (requiretty in its sudoers), and there is no script(1) to make one",
            f"On the host, as root: echo 'Defaults:{user} !requiretty' > /etc/sudoers.d/zz-{file_name(user)}-tty",
        )
    if NOT_ALLOWED.search(result.stderr):
        return RootRefused(f"{user} may not run sudo at {address}", f"On the host, as root: {sudoers(user)}")
    return RootRefused(
        f"sudo at {address} fails: {last_line(result.stderr) or 'it gives no reason'}",
        f"Try it there: sudo -v; what it needs: {sudoers(user)}",
    )


def sudoers(user: str) -> str:
    """The command that lets a user become root without a password: the sudoers line, and where it goes."""
    return f"echo '{user} ALL=(ALL:ALL) NOPASSWD: ALL' > /etc/sudoers.d/{file_name(user)}"


def file_name(user: str) -> str:
    """What sudo reads: no file of /etc/sudoers.d whose name holds a dot or ends in ~ (sudoers(5))."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", user)
