"""Make a socket that only this user can open, and remove it."""

from __future__ import annotations

import hashlib
import os
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from machinectl.errors import Hint, MachineError, UsageError
from machinectl.files.atomic import remove_if_present
from machinectl.files.ownership import exposed
from machinectl.files.user_directories import is_dead_socket
from machinectl.machines.store import Store
from machinectl.tunnels.socket_notes import (
    living_notes,
    notes_directory,
    others_waiting,
    socket_at,
    sockets_of,
    write_note,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.tunnels.socket_notes import SocketNote

# Bytes. Linux allows 107, macOS 103; programs that copy the path with a prefix, less.
LONGEST = 100
ENDING = ".sock"
STORE_LETTERS, NAME_LETTERS = 8, 24
# Only the user may connect.
OTHERS = 0o177
# Connections that wait to be accepted; the system allows no more (listen(2)).
BACKLOG = 4096


class AlreadyOpen(MachineError):
    def __init__(self, note: SocketNote) -> None:
        super().__init__(
            f"{note.path} is in use already: {note.server} serves {note.machine} there",
            Hint("Close it", "machinectl socket rm", note.path) | Hint("or name another one: --path <FILE>"),
        )
        self.note = note


def check_same(note: SocketNote, store: Store, name: str, *, forward: bool) -> None:
    """Raise AlreadyOpen for another machine's socket, one without ports, or one that ends with its command."""
    if (note.machine, note.store) != (name, store.root) or note.command or (forward and not note.forwards):
        raise AlreadyOpen(note)


def default_path(store: Store, name: str, unique: str = "") -> str:
    """Return a machine's path, the same each time; with `unique`, one of its own."""
    directory = notes_directory()
    of_store = "" if store.root == Store().root else digest(store.root)[:STORE_LETTERS]
    path = os.path.join(directory, "-".join(filter(None, (name, of_store, unique))) + ENDING)
    if len(os.fsencode(path)) <= LONGEST:
        return path
    return os.path.join(directory, digest(path)[:NAME_LETTERS] + ENDING)


def shared_path(store: Store, name: str) -> str:
    """Return the path of a machine's open socket, which keeps it after a rename, else the default one."""
    own = [note.path for note in sockets_of(store, name) if not note.command]
    if found := [path for path in own if os.path.dirname(path) == notes_directory()]:
        return found[0]
    default = default_path(store, name)
    # A machine that had this name before has its socket there.
    return default_path(store, name, str(os.getpid())) if socket_at(default) else default


def digest(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()


def checked_path(path: str) -> str:
    """Return an absolute path in a directory that only the user can write to. Raises MachineError."""
    path = os.path.abspath(path)
    size = len(os.fsencode(path))
    if size > LONGEST:
        raise UsageError(
            f"The path of a socket has at most {LONGEST} bytes, and this one has {size}: {path}",
            Hint("Name a shorter one: --path <FILE>"),
        )
    if not path.isprintable():
        raise UsageError(
            f"The path {path!r} holds a character that cannot be printed", Hint("Name another: --path <FILE>")
        )
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        raise MachineError(f"There is no directory {directory}", Hint("Create it", "mkdir -m 700", directory))
    # Its owner could rename the socket of root, and listen in its place.
    if found := exposed(directory, root_anywhere=False):
        raise MachineError(
            f"{found.path} is not safe for a socket: {found.why}",
            Hint("Name a file in a private directory: --path <FILE>"),
        )
    return path


@contextmanager
def opened_socket(note: SocketNote) -> Iterator[socket.socket]:
    """Listen at a note's path, and remove both and the log at the end.

    Raises AlreadyOpen, or MachineError for a foreign file.
    """
    path = checked_path(note.path)
    with others_waiting():
        for other in living_notes():
            if other.path == path:
                raise AlreadyOpen(other)
        check_free(path)
        listener = listening_socket(path)
        own = os.lstat(path)
        file = write_note(note)
    with listener:
        try:
            yield listener
        finally:
            # A process that waits for the end of the socket may open another one at once.
            with suppress(OSError):
                remove_if_present(file)
                if note.log:
                    remove_if_present(note.log)
                if os.path.samestat(own, os.lstat(path)):
                    os.unlink(path)


def check_free(path: str) -> None:
    """Remove a socket of the user's at which nobody listens; raise MachineError for any other file."""
    if not os.path.lexists(path):
        return
    if is_dead_socket(path):
        os.unlink(path)
        return
    raise MachineError(
        f"{path} exists, and is not a socket of machinectl's",
        Hint("See", "ls -l", path) | Hint("or name another: --path <FILE>"),
    )


def listening_socket(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(OTHERS)
    try:
        listener.bind(path)
    except OSError as exc:
        listener.close()
        raise MachineError(
            f"Cannot create the socket {path}: {exc.strerror}", Hint("See", "ls -ld", os.path.dirname(path))
        ) from exc
    finally:
        os.umask(before)
    listener.listen(BACKLOG)
    return listener
