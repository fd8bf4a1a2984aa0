"""Who we are to a host: passwords and passphrases, given or asked for once, kept in memory and shown nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from machinectl.console import Console

# A person may mistype: OpenSSH's NumberOfPasswordPrompts, and sudo's passwd_tries.
TRIES = 3


class Credentials:
    """What was given in a file or the environment; what is asked for at the terminal is remembered here.

    The passwords are those of the target host alone: a jump host is never sent them.
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
        """The same person's credentials for another host: its keys, not its passwords."""
        other = Credentials(passphrase=self.passphrase)
        other.passphrases = self.passphrases
        return other


def ask(console: Console, question: str) -> str | None:
    """A secret from the person at the terminal; None where there is nobody, or nothing was typed."""
    return (console.ask(question, secret=True) or None) if console.interactive else None
