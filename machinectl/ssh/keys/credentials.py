"""Secrets: asked for once, kept in memory, never printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from machinectl.console import Console

# As OpenSSH's NumberOfPasswordPrompts and sudo's passwd_tries.
TRIES = 3


class Credentials:
    """Jump hosts never get the passwords."""

    def __init__(
        self, *, password: str | None = None, passphrase: str | None = None, sudo_password: str | None = None
    ) -> None:
        self.password = password
        self.passphrase = passphrase
        self.sudo_password = sudo_password
        # Typed passphrases, by key path.
        self.passphrases: dict[str, str] = {}

    def __repr__(self) -> str:
        return "Credentials(…)"

    def for_jump(self) -> Credentials:
        """Leave out the passwords."""
        other = Credentials(passphrase=self.passphrase)
        other.passphrases = self.passphrases
        return other


def ask_secret(console: Console, question: str) -> str | None:
    """Return None without a terminal or an answer."""
    return (console.ask(question, secret=True) or None) if console.interactive else None
