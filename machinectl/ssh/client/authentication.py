"""Log in as OpenSSH does: agent keys, key files, then a password or prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import paramiko

from machinectl.ssh.client.connection_failures import see_ssh
from machinectl.ssh.client.denials import login_refused, new_password, wants_more
from machinectl.ssh.client.handshake import failure_reason
from machinectl.ssh.client.key_login import KeyLogin
from machinectl.ssh.client.login_attempt import LoginAttempt
from machinectl.ssh.client.password_login import PasswordLogin
from machinectl.ssh.client.transport import AuthenticationTimeout
from machinectl.ssh.keys import private_keys
from machinectl.ssh.ssh_errors import ConnectionLost, LoginRefused, SSHError

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
            if attempt.accepted_key:
                question = passwords.prompts[-1] if passwords.prompts else ""
                asks = console.interactive
                raise wants_more(settings, attempt.accepted_key, attempt.methods, question, asks=asks)
            raise login_refused(settings, attempt.tried, attempt.unused, attempt.methods)
    except (EOFError, OSError, AuthenticationTimeout) as exc:
        how = "gave no answer" if isinstance(exc, AuthenticationTimeout) else "ended the connection"
        raise ConnectionLost(f"{settings.address} {how} during the login", see_ssh(settings)) from exc
    except paramiko.SSHException as exc:
        raise SSHError(f"The login at {settings.address} failed: {failure_reason(exc)}", see_ssh(settings)) from exc
    finally:
        if agent is not None:
            agent.close()
