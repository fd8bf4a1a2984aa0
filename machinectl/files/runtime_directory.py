"""The private directory for the user's sockets. Light path."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from machinectl.errors import MachineError
from machinectl.files.ownership import exposed_above
from machinectl.files.temporary_files import temporary_place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# macOS has the shortest socket paths, 103 bytes (sun_path without NUL). ssh appends a dot and 16 letters while it
# creates a socket.
LONGEST_PATH = 103 - 17
DIGEST_LETTERS = 24


def socket_directory() -> str:
    """Return "" if no place is private and short."""
    if not hasattr(os, "geteuid"):
        return ""
    user = os.geteuid()
    for place in filter(os.path.isabs, places()):
        path = os.path.join(place, f"machinectl-{user}")
        # A ControlPath ends at a line end, and ssh expands ${NAME}: the socket would be in another directory.
        is_literal = path.isprintable() and "$" not in path
        if is_literal and len(os.fsencode(path)) + 1 + DIGEST_LETTERS <= LONGEST_PATH and is_private(path, user):
            return path
    return ""


def places() -> Iterator[str]:
    yield os.environ.get("XDG_RUNTIME_DIR", "")
    with suppress(MachineError):
        yield temporary_place()
    yield "/tmp"  # noqa: S108 - checked by the caller


def is_private(path: str, user: int) -> bool:
    """Return whether the user, and nobody else, can write to a directory or replace it; create it if missing."""
    try:
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            pass
        found = os.lstat(path)
        mine = stat.S_ISDIR(found.st_mode) and found.st_uid == user and stat.S_IMODE(found.st_mode) == stat.S_IRWXU
        # After su, root may have another user's XDG_RUNTIME_DIR. That user could replace the directory after the check.
        # It can be there, and read-only.
        return mine and os.access(path, os.W_OK) and exposed_above(path, root_anywhere=False) is None
    except OSError:
        return False
