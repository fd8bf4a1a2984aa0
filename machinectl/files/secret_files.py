"""Files that hold a secret: named by an option, read where it is used, and shown nowhere."""

from __future__ import annotations

import os
import stat

from machinectl.errors import MachineError

# In characters: who wrote the file meant another one. A pipe is as good as a file here: --…-file <(pass show orion).
LONGEST_LINE = 1 << 16


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
