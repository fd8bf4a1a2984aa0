"""Read secrets from files; never show them."""

from __future__ import annotations

import os
import stat

from machinectl.errors import Hint, MachineError

# Characters; a longer line is not a secret. Pipes are allowed: --…-file <(pass show orion).
LONGEST_LINE = 1 << 16


def is_exposed(path: str) -> bool:
    """Pipes are private."""
    try:
        mode = os.stat(os.path.expanduser(path)).st_mode
    except OSError:
        return False
    return os.name == "posix" and stat.S_ISREG(mode) and bool(mode & (stat.S_IRGRP | stat.S_IROTH))


def read_secret(path: str, option: str) -> str:
    """Return the first line. Raises MachineError."""
    try:
        with open(os.path.expanduser(path), encoding="utf-8", errors="surrogateescape") as file:
            secret = file.readline(LONGEST_LINE + 1).rstrip("\r\n")
    except OSError as exc:
        raise MachineError(f"{option}: {path} cannot be read: {exc.strerror}", Hint("See", "ls -l", path)) from exc
    if len(secret) > LONGEST_LINE:
        raise MachineError(
            f"{option}: the first line of {path} is no secret: it does not end", Hint("See", "ls -l", path)
        )
    if not secret:
        raise MachineError(
            f"{option}: {path} has nothing on its first line", Hint("Write the secret there, on one line")
        )
    return secret
