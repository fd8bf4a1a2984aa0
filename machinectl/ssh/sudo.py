"""Become root: by login, sudo with a password on stdin, or doas."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from machinectl.errors import Hint
from machinectl.ssh import framing
from machinectl.ssh.keys.credentials import TRIES, ask_secret
from machinectl.ssh.runner import CommandResult
from machinectl.ssh.session import ScriptRunner, last_line
from machinectl.ssh.ssh_errors import RootRefused

if TYPE_CHECKING:
    from machinectl.console import Console
    from machinectl.ssh.keys.credentials import Credentials
    from machinectl.ssh.session import SSHSession

# Printed by probe_command's script.
ROOT, ABSENT, FREE, WANTS_PASSWORD, DOAS = "root", "absent", "free", "password", "doas"
# Printed by check_password_command's script if sudo does not ask again.
REMEMBERED = "remembered"
# Fails if NOEXEC in the sudoers stops root's shell from starting programs.
STARTS_PROGRAMS = "/bin/sh -c :"

# Messages of sudo and sudo-rs (Ubuntu's since 25.10), in English because of LC_ALL=C.
NOT_ALLOWED = re.compile(
    rb"not in the sudoers file|may not run sudo|is not allowed to (execute|run)|I'm afraid I can't do that"
)
WRONG_PASSWORD = re.compile(
    rb"try again|incorrect password|[Aa]uthentication fail|no password was provided", re.IGNORECASE
)
# A password does not help against these.
HOPELESS = re.compile(
    rb"%b|must have a tty|password (is|has) expired|to change your password|/bin/sh: Permission denied"
    % NOT_ALLOWED.pattern,
    re.IGNORECASE,
)
AS_ROOT, TRY_SUDO = "On the host, as root", Hint("Try it there", "sudo -v")
DOAS_REFUSES = re.compile(rb"^doas: (.+)$", re.MULTILINE)


def probe_command() -> str:
    """Return a script that prints how to become root.

    `sudo -n` comes first: with NOPASSWD, a password stays unread.
    """
    return (
        f"{framing.set_system_path()}\n"
        f'if [ "$(id -u)" = 0 ]; then echo {ROOT}\n'
        f"elif ! command -v sudo >/dev/null && {framing.doas_command(':')}; then echo {DOAS}\n"
        f"elif ! command -v sudo >/dev/null; then echo {ABSENT}\n"
        f"elif {framing.sudo_command(STARTS_PROGRAMS)}; then echo {FREE}\n"
        f"else echo {WANTS_PASSWORD}; fi"
    )


def check_password_command() -> str:
    """Return a script that tries the password on stdin once, and prints whether sudo remembers it."""
    remembers = framing.authenticated_command(f"{STARTS_PROGRAMS} && echo {REMEMBERED}", needed=False)
    return f"{framing.set_system_path()}\n{remembers}"


class Root(ScriptRunner):
    """Runs commands as root; framing builds `command`."""

    def __init__(
        self, session: SSHSession, command: str, password: str | None = None, *, program: str = "sudo"
    ) -> None:
        self.program = program
        self.prefix = f"{program}: "
        self._session = session
        self._command = command
        self._password = password

    def __repr__(self) -> str:
        return f"Root({self._session.settings.login})"

    @property
    def session(self) -> SSHSession:
        return self._session

    def frame(self, script: str, mark: str, *, streamed: bool = False) -> str:
        form = framing.streamed_as_root if streamed else framing.collected
        return framing.as_root(script, mark, self._command, self._password, form)

    def refusal(self, said: str) -> RootRefused:
        return root_refused(self._session, CommandResult(1, b"", said.encode()), self.program)


def become_root(session: SSHSession, credentials: Credentials, console: Console) -> ScriptRunner:
    """Raises RootRefused with the sudoers line to add."""
    if session.user == "root":
        return session
    probe = session.run(probe_command())
    if probe.text == ROOT:
        return session
    if probe.text == DOAS:
        return Root(session, framing.doas_command(framing.ROOT_COMMAND), program="doas")
    if probe.text == FREE:
        return Root(session, framing.sudo_command(framing.ROOT_COMMAND))
    if probe.text != WANTS_PASSWORD or HOPELESS.search(probe.stderr):
        raise root_refused(session, probe)
    return with_password(session, credentials, console)


def with_password(session: SSHSession, credentials: Credentials, console: Console) -> Root:
    """Raises RootRefused."""
    given, user, address = credentials.sudo_password, session.user, session.settings.address
    for _ in range(TRIES if given is None else 1):
        password = ask_secret(console, f"Password of {user} for sudo at {address}") if given is None else given
        if password is None:
            hint = Hint("Give it: --sudo-password-file <FILE>, or MACHINECTL_SUDO_PASSWORD")
            raise RootRefused(f"sudo at {address} wants the password of {user}", hint | without_password(user))
        if root := try_password(session, password):
            credentials.sudo_password = password
            return root
        if given is None:
            console.warn("sudo does not take that password")
    which = "the password given" if given is not None else f"{TRIES} passwords"
    raise RootRefused(f"sudo at {address} does not take {which} for {user}", TRY_SUDO | without_password(user))


def try_password(session: SSHSession, password: str) -> Root | None:
    """Return None if the password is wrong. Raises RootRefused for other refusals."""
    line = f"{password}\n".encode(errors="surrogateescape")
    result = session.run(check_password_command(), input=line, check=False)
    if result.status == 0 and result.text == REMEMBERED:
        return Root(session, framing.authenticated_command(framing.ROOT_COMMAND), password)
    if result.status == 0:
        # Give sudo only the password to read, because the script follows.
        command = framing.sudo_command(framing.ROOT_COMMAND, password=True)
        root = Root(session, command, password)
        root.run(STARTS_PROGRAMS)
        return root
    if HOPELESS.search(result.stderr) or not WRONG_PASSWORD.search(result.stderr):
        raise root_refused(session, result)
    return None


def root_refused(session: SSHSession, result: CommandResult, program: str = "sudo") -> RootRefused:
    user, address = session.user, session.settings.address
    doas = DOAS_REFUSES.search(result.stderr)
    if doas and (result.text == ABSENT or program == "doas"):
        return RootRefused(
            f"{user} cannot become root at {address} by doas, which has to need no password; it says: "
            f"{doas[1].decode(errors='replace')}",
            Hint(AS_ROOT, f"echo 'permit nopass {user}' >> /etc/doas.conf"),
        )
    if result.text == ABSENT:
        return RootRefused(
            f"{user} is not root at {address}, and sudo is not installed there",
            Hint("Log in as root: --ssh-user root")
            | Hint("or on the host, as root, install sudo, then", sudoers(user)),
        )
    if NOT_ALLOWED.search(result.stderr):
        return RootRefused(f"{user} may not run sudo at {address}", Hint(AS_ROOT, sudoers(user)))
    return RootRefused(
        f"{program} at {address} fails: {last_line(result.stderr) or 'it gives no reason'}",
        TRY_SUDO | without_password(user),
    )


def without_password(user: str) -> Hint:
    return Hint(f"or let {user} use sudo without a password, on the host, as root", sudoers(user))


def sudoers(user: str) -> str:
    """Return the command that gives a user root without a password; sudo reads its file last.

    sudo skips files whose names have a dot or a final ~ (sudoers(5)).
    """
    file = re.sub(r"[^A-Za-z0-9_-]", "_", user)
    return f"echo '{user} ALL=(ALL:ALL) NOPASSWD: ALL' > /etc/sudoers.d/zz-machinectl-{file}"
