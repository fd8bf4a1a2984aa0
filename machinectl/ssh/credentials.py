"""Who we are to a host: passwords and passphrases, given or asked for once, kept in memory and shown nowhere."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from machinectl.errors import MachineError

if TYPE_CHECKING:
    from machinectl.console import Console

# A person may mistype: OpenSSH's NumberOfPasswordPrompts, and sudo's passwd_tries.
TRIES = 3
# In characters: who wrote the file meant another one. A pipe is as good as a file here: --…-file <(pass show orion).
LONGEST_LINE = 1 << 16


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


def is_exposed(path: str) -> bool:
    """Whether others than its owner can read a file; a pipe (`<(pass show orion)`) is nobody else's."""
    try:
        mode = os.stat(os.path.expanduser(path)).st_mode
    except OSError:
        return False
    return os.name == "posix" and stat.S_ISREG(mode) and bool(mode & (stat.S_IRGRP | stat.S_IROTH))


def read_secret(path: str, option: str) -> str:
    """The first line of a file that was named by an option. Raises MachineError where there is none."""
    try:
        with open(os.path.expanduser(path), encoding="utf-8", errors="surrogateescape") as file:
            secret = file.readline(LONGEST_LINE + 1).rstrip("\r\n")
    except OSError as exc:
        raise MachineError(f"{option}: {path} cannot be read: {exc.strerror}", f"See: ls -l {path}") from exc
    if len(secret) > LONGEST_LINE:
        raise MachineError(f"{option}: the first line of {path} is no secret: it does not end", f"See: ls -l {path}")
    if not secret:
        raise MachineError(f"{option}: {path} has nothing on its first line", "Write the secret there, on one line")
    return secret
