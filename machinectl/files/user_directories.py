"""The user's home, the place for temporary files, and the private directory for sockets. Light path."""

from __future__ import annotations

import os
import stat
import sys

from machinectl.errors import Hint, MachineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

IN_MEMORY = "/dev/shm"  # noqa: S108 - for what others cannot replace
# macOS has the shortest socket paths, 103 bytes (sun_path without NUL). ssh appends a dot and 16 letters while it
# creates a socket.
LONGEST_PATH = 103 - 17
DIGEST_LETTERS = 24


def check_home_known(path: str, hint: Hint) -> None:
    """Raise MachineError if `~` is still there: the path would be below the current directory."""
    if path.startswith("~"):
        raise MachineError(f"HOME is not set, and user ID {os.getuid()} has no home directory", hint)


def temporary_place() -> str:
    """Return $TMPDIR or the system's place, else IN_MEMORY. Raises MachineError if nothing can be written there."""
    import tempfile

    try:
        return tempfile.gettempdir()
    except OSError as exc:
        # In a container with a read-only root.
        if os.access(IN_MEMORY, os.W_OK):
            return IN_MEMORY
        name_one = Hint("Name a directory for them", "export TMPDIR=<DIRECTORY>")
        raise MachineError(f"Cannot write temporary files: {exc.strerror}", name_one) from exc


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
    try:
        yield temporary_place()
    except MachineError:
        pass  # The next one may do.
    yield "/tmp"  # noqa: S108 - checked by the caller


def is_private(path: str, user: int) -> bool:
    """Return whether the user, and nobody else, can write to a directory or replace it; create it if missing."""
    from machinectl.files.ownership import exposed_above

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


def is_dead_socket(path: str) -> bool:
    """Return whether it is a socket of the user's at which nobody listens."""
    found = os.lstat(path)
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
        return False
    return listening_process(path) is None


def listening_process(path: str) -> int | None:
    """Return the process that listens at a socket, None if nobody does.

    It is 0 if that is not known: in another PID namespace, or while too many connections wait.
    """
    import socket

    with socket.socket(socket.AF_UNIX) as connection:
        connection.setblocking(False)
        try:
            connection.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            return None
        except OSError:
            return 0
        # The first member of Linux's struct ucred; macOS has LOCAL_PEERPID of SOL_LOCAL (sys/un.h).
        which = (socket.SOL_SOCKET, socket.SO_PEERCRED) if sys.platform == "linux" else (0, 2)
        return connection.getsockopt(*which)
