"""Log in as OpenSSH does: agent keys, key files, then a password or prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import paramiko

from machinectl.errors import one_line
from machinectl.ssh.client.denials import instead_of_login, new_password
from machinectl.ssh.client.handshake import LONGEST_SAID, failure_reason
from machinectl.ssh.client.key_login import KeyLogin
from machinectl.ssh.client.password_login import PASSWORD_METHODS, PasswordLogin
from machinectl.ssh.client.transport import AuthenticationTimeout
from machinectl.ssh.keys import private_keys
from machinectl.ssh.ssh_errors import ANOTHER_KEY, ConnectionLost, LoginRefused, SSHError

if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.console import Console
    from machinectl.ssh.client.transport import Authentication, Transport
    from machinectl.ssh.keys.credentials import Credentials
    from machinectl.ssh.keys.known_hosts import HostKey
    from machinectl.ssh.ssh_settings import Settings


def log_in(transport: Transport, settings: Settings, credentials: Credentials, console: Console) -> None:
    """Raises LoginRefused with the host's methods and what was tried."""
    agent = private_keys.open_agent(settings.agent)
    attempt = LoginAttempt(transport, settings, credentials, console)
    passwords = PasswordLogin(attempt)
    try:
        KeyLogin(attempt, agent).run()
        if not attempt.is_granted:
            if attempt.tried or not attempt.is_granted_without_proof():
                passwords.run()
            attempt.is_granted_without_proof()
        if not attempt.is_granted:
            if passwords.is_expired:
                raise LoginRefused(*new_password(settings))
            raise wants_more(attempt, passwords) if attempt.accepted_key else login_refused(attempt)
    except (EOFError, OSError, AuthenticationTimeout) as exc:
        how = "gave no answer" if isinstance(exc, AuthenticationTimeout) else "ended the connection"
        raise ConnectionLost(f"{settings.address} {how} during the login", see_ssh(settings)) from exc
    except paramiko.SSHException as exc:
        raise SSHError(f"The login at {settings.address} failed: {failure_reason(exc)}", see_ssh(settings)) from exc
    finally:
        if agent is not None:
            agent.close()


def login_refused(attempt: LoginAttempt) -> LoginRefused:
    tried = f"tried: {', '.join(attempt.tried)}" if attempt.tried else "there was no key to try"
    unused = f"; not usable: {', '.join(attempt.unused)}" if attempt.unused else ""
    login, methods = attempt.settings.login, ", ".join(attempt.methods) or "nothing"
    if any(method in attempt.methods for method in PASSWORD_METHODS):
        hint = f"Name a key, {ANOTHER_KEY}, or give the password, --ssh-password-file FILE"
    else:
        hint = f"Name the right key, {ANOTHER_KEY}, or try: ssh {attempt.settings.login_options}"
    return LoginRefused(f"{login} refuses the login ({tried}{unused}); it accepts {methods}", hint)


def wants_more(attempt: LoginAttempt, passwords: PasswordLogin) -> LoginRefused:
    settings, methods = attempt.settings, attempt.methods
    asks = f", and asks: {passwords.prompts[-1]!r}" if passwords.prompts else ""
    key_only = f"on the host, AuthenticationMethods publickey in sshd_config for {settings.user}"
    if "password" in methods:
        hint = f"Give the password, --ssh-password-file FILE; or let the key suffice: {key_only}"
    elif attempt.console.interactive:
        hint = f"Try it: ssh {settings.login_options}; or let the key suffice: {key_only}"
    else:
        hint = f"Run it at a terminal, where the host asks for the code; or let the key suffice: {key_only}"
    return LoginRefused(
        f"{settings.login} accepts the key {attempt.accepted_key} and wants more: it accepts {', '.join(methods)} "
        f"now{asks}",
        hint,
    )


def see_ssh(settings: Settings) -> str:
    return f"See what ssh says: ssh -v {settings.login_options}"


class LoginAttempt:
    def __init__(self, transport: Transport, settings: Settings, credentials: Credentials, console: Console) -> None:
        self._transport = transport
        self.settings = settings
        self.credentials = credentials
        self.console = console
        # For the error message: what was tried, and why a key could not be used.
        self.tried: list[str] = []
        self.unused: list[str] = []
        # A key that the server accepted before it asked for more.
        self.accepted_key = ""
        self._asked_for_none = False

    @property
    def is_granted(self) -> bool:
        return self._transport.is_authenticated()

    @property
    def is_connected(self) -> bool:
        return self._transport.is_active()

    @property
    def methods(self) -> list[str]:
        """Known after the server's first refusal."""
        return self._transport.authentication.methods

    def request(self, send: Callable[[Authentication], list[str]]) -> bool:
        """Return whether a request succeeded, perhaps as one of several steps (RFC 4252 5.1)."""
        try:
            send(self._transport.authentication)
        except paramiko.AuthenticationException as exc:
            if not self._transport.is_active():
                raise self._cut_off() from exc
            return False
        return True

    def is_granted_without_proof(self) -> bool:
        """Try the method "none" once (RFC 4252 5.2). A refusal lists the server's methods.

        Try keys before: this takes a round trip, and sshd counts a failure unless it comes first.
        """
        if not self._asked_for_none and not self.is_granted:
            self._asked_for_none = True
            self.request(lambda authentication: authentication.auth_none(self.settings.user))
        return self.is_granted

    def would_accept(self, public: HostKey) -> bool:
        """Ask the server about a public key, without a signature."""
        try:
            return self._transport.authentication.would_accept(self.settings.user, public)
        except paramiko.AuthenticationException as exc:
            raise self._cut_off() from exc

    def allow_seconds(self, seconds: float) -> None:
        self._transport.auth_timeout = seconds

    def _cut_off(self) -> LoginRefused:
        banner = self._transport.authentication.said
        explained = instead_of_login(self.settings, banner)
        if explained is not None:
            return explained
        attempts = "1 attempt" if len(self.tried) == 1 else f"{len(self.tried)} attempts"
        advice = "It allows a few attempts: "
        if banner.strip() and len(self.tried) == 1:
            # pam_nologin(8) shows the admin's text.
            advice = "If that is the text of /run/nologin there, wait, or remove it as root: rm /run/nologin; else "
        return LoginRefused(
            f"{self.settings.address} ended the connection after {attempts} to log in as "
            f"{self.settings.user}: {', '.join(self.tried) or 'none of ours'}"
            f"{f'; it said {one_line(banner, LONGEST_SAID)!r}' if banner.strip() else ''}",
            f"{advice}name the right key, {ANOTHER_KEY}, or check the password",
        )
