"""Secrets: asked for once, kept in memory, never printed."""

from __future__ import annotations

from machinectl.console import Unanswered
from machinectl.value_classes import Mutable, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.console import Console

# As OpenSSH's NumberOfPasswordPrompts and sudo's passwd_tries.
TRIES = 3


class Credentials(Mutable):
    """Secrets to log in with; `passphrases` are typed ones, by key path."""

    password: str | None = None
    passphrase: str | None = None
    sudo_password: str | None = None
    passphrases: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return "Credentials(…)"

    def for_jump(self) -> Credentials:
        """Leave out the passwords: jump hosts never get them."""
        return Credentials(passphrase=self.passphrase, passphrases=self.passphrases)


def ask_secret(console: Console, question: str) -> str | None:
    """Return None without a terminal or an answer."""
    try:
        return (console.ask(f"{question}: ", secret=True) or None) if console.interactive else None
    except Unanswered:
        # ^D. The caller names the option that gives the secret.
        return None
