"""Send login requests, and record what was tried."""

from __future__ import annotations

from typing import TYPE_CHECKING

import paramiko

from machinectl.ssh.client.denials import cut_off

if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.console import Console
    from machinectl.ssh.client.transport import Authentication, Transport
    from machinectl.ssh.keys.credentials import Credentials
    from machinectl.ssh.keys.known_hosts import HostKey
    from machinectl.ssh.ssh_errors import LoginRefused
    from machinectl.ssh.ssh_settings import Settings


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
        return cut_off(self.settings, self.tried, self._transport.authentication.said)
