"""The user's home directory. A user ID without an account, as in a container, has none without $HOME. Light path."""

from __future__ import annotations

import os

from machinectl.errors import Hint, MachineError


def check_home_known(path: str, hint: Hint) -> None:
    """Raise MachineError if `~` is still there: the path would be below the current directory."""
    if path.startswith("~"):
        raise MachineError(f"HOME is not set, and user ID {os.getuid()} has no home directory", hint)
