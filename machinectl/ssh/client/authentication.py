"""Log in as OpenSSH does: agent keys, key files, then a password or prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import paramiko

from machinectl.ssh.client.denials import new_password
from machinectl.ssh.client.handshake import failure_reason
from machinectl.ssh.client.key_login import KeyLogin
from machinectl.ssh.client.login_attempt import LoginAttempt
from machinectl.ssh.client.password_login import PASSWORD_METHODS, PasswordLogin
from machinectl.ssh.client.transport import AuthenticationTimeout
from machinectl.ssh.keys import private_keys
from machinectl.ssh.ssh_errors import ANOTHER_KEY, ConnectionLost, LoginRefused, SSHError

if TYPE_CHECKING:
    from machinectl.console import Console
    from machinectl.ssh.client.transport import Transport
    from machinectl.ssh.keys.credentials import Credentials
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
    tried = f"tried: {attempt.tried_once()}" if attempt.tried else "there was no key to try"
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
        hint = f"Give the password, --ssh-password-file FILE; or accept the key alone: {key_only}"
    elif attempt.console.interactive:
        hint = f"Try it: ssh {settings.login_options}; or accept the key alone: {key_only}"
    else:
        hint = f"Run it at a terminal, where the host asks for the code; or accept the key alone: {key_only}"
    return LoginRefused(
        f"{settings.login} accepts the key {attempt.accepted_key} and wants more: it accepts {', '.join(methods)} "
        f"now{asks}",
        hint,
    )


def see_ssh(settings: Settings) -> str:
    return f"See what ssh says: ssh -v {settings.login_options}"
