"""Passwords and passphrases, given or asked for once, kept in memory and never shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from machinectl.console import Console

# A person may mistype: OpenSSH's NumberOfPasswordPrompts, and sudo's passwd_tries.
TRIES = 3


class Credentials:
    """Secrets from a file, the environment, or the terminal.

    The passwords are only for the target host: a jump host never gets them.
    """

    def __init__(
        self, *, password: str | None = None, passphrase: str | None = None, sudo_password: str | None = None
    ) -> None:
        self.password = password
        self.passphrase = passphrase
        self.sudo_password = sudo_password
        # Passphrases that were typed, by the path of their key.
        self.passphrases: dict[str, str] = {}

    def __repr__(self) -> str:
        return "Credentials(…)"

    def for_jump(self) -> Credentials:
        """Return the credentials for a jump host: the keys, without the passwords."""
        other = Credentials(passphrase=self.passphrase)
        other.passphrases = self.passphrases
        return other


def ask_secret(console: Console, question: str) -> str | None:
    """Ask for a secret at the terminal; None if nobody answers or nothing was typed."""
    return (console.ask(question, secret=True) or None) if console.interactive else None
