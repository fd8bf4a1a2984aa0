"""Note what open sockets are for, so that others find, list and remove them.

A note is in the user's private directory, and is called by its socket's file: another file at the same path has none.
The socket itself tells whether a process listens, and which.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import signal
import time
from contextlib import contextmanager, suppress

from machinectl.errors import Hint, MachineError
from machinectl.files.atomic import PRIVATE_FILE, read_file, remove_if_present, write_new
from machinectl.files.user_directories import listening_process, remove_dead_socket, socket_directory
from machinectl.value_classes import Frozen, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.machines.store import Store

SUFFIX, LOG_SUFFIX = ".socket.json", ".log"
LOCK = "sockets.lock"
DIGEST_LETTERS = 16
# Seconds that a process has to end, and between two looks whether it has.
END_SECONDS, LOOK_SECONDS = 5.0, 0.02


class SocketNote(Frozen):
    """`command` is the program that it is for, "" for none; `log` the file of a process in the background.

    `pid` comes from the socket: the process that listens, 0 if that is in another PID namespace.
    """

    machine: str
    store: str
    path: str
    command: str = ""
    log: str = ""
    # Whether published ports are forwarded, too.
    forwards: bool = False
    pid: int = 0

    @property
    def server(self) -> str:
        return f"process {self.pid}" if self.pid else "a process in another PID namespace"


def notes_directory() -> str:
    """Raises MachineError if no place is private."""
    if directory := socket_directory():
        return directory
    raise MachineError(
        "There is no private directory for a socket",
        Hint("See", "ls -ld /tmp/machinectl-$(id -u)") | Hint("or name another place", "export TMPDIR=<DIRECTORY>"),
    )


def log_file(path: str) -> str:
    """Return the log of the process in the background that serves a path."""
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:DIGEST_LETTERS]
    return os.path.join(notes_directory(), f"{digest}{LOG_SUFFIX}")


def note_file(path: str) -> str:
    """Return the file of the note about the socket that is at a path now. Raises OSError if there is none."""
    found = os.lstat(path)
    return os.path.join(notes_directory(), f"{found.st_ino:x}-{found.st_mtime_ns:x}{SUFFIX}")


@contextmanager
def others_waiting() -> Iterator[None]:
    """Let no other command open, sweep or remove a socket meanwhile, if the file system has locks."""
    descriptor = os.open(os.path.join(notes_directory(), LOCK), os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def open_sockets() -> list[SocketNote]:
    """Return the user's open sockets. Remove what killed processes left."""
    with others_waiting():
        return living_notes()


def living_notes() -> list[SocketNote]:
    """As `open_sockets`; call with others waiting."""
    directory = notes_directory()
    files = [os.path.join(directory, name) for name in os.listdir(directory) if name.endswith(SUFFIX)]
    return [note for note in map(living_note, files) if note]


def sockets_of(store: Store, name: str) -> list[SocketNote]:
    """Return a machine's open sockets."""
    if not socket_directory():
        return []
    return [note for note in open_sockets() if (note.store, note.machine) == (store.root, name)]


def rename_in_notes(store: Store, old: str, new: str) -> list[str]:
    """Note the new name of a machine for its open sockets, and return a message for each."""
    notes = sockets_of(store, old)
    for note in notes:
        with others_waiting(), suppress(FileNotFoundError):
            write_note(replace(note, machine=new))
    return [f"Its socket {note.path} stays open" for note in notes]


def machine_of_socket(store: Store, path: str) -> str:
    """Return the machine whose open socket is at a path, or ""."""
    with suppress(OSError, MachineError):
        note = read_note(note_file(path))
        if note and note.store == store.root and store.exists(note.machine) and listening_process(path) is not None:
            return note.machine
    return ""


def socket_at(path: str) -> SocketNote | None:
    return next((note for note in open_sockets() if note.path == path), None)


def living_note(file: str) -> SocketNote | None:
    """Return the note if a process listens at its socket; else remove both."""
    note = read_note(file)
    if note and is_of(file, note.path):
        pid = listening_process(note.path)
        if pid is not None:
            return replace(note, pid=pid)
        remove_dead_socket(note.path)
    if note and note.log:
        remove_if_present(note.log)
    remove_if_present(file)
    return None


def is_of(file: str, path: str) -> bool:
    """Return whether a note is about the socket that is at a path now."""
    try:
        return note_file(path) == file
    except OSError:
        return False


def read_note(file: str) -> SocketNote | None:
    try:
        found = json.loads(read_file(file))
        # Another version may have written more, or less.
        return SocketNote(**{name: found[name] for name in SocketNote.fields_by_name if name in found})
    except (OSError, ValueError, TypeError):
        return None


def write_note(note: SocketNote) -> str:
    """Write the note about the socket at its path; return the note's file. Call with others waiting.

    Raises OSError if the socket is gone.
    """
    file = note_file(note.path)
    remove_if_present(file)
    write_new(file, json.dumps(vars(note)).encode(), sync=False)
    return file


def end_process(note: SocketNote) -> None:
    """End the process that listens at a socket. Raises MachineError if it does not end."""
    if not note.pid:
        raise MachineError(
            f"{note.path} is served by {note.server}, such as a container's",
            Hint("Close it there", "machinectl socket rm", note.path),
        )
    with suppress(ProcessLookupError):
        os.kill(note.pid, signal.SIGTERM)
    end = time.monotonic() + END_SECONDS
    # It removes its note, its log, and the socket last.
    while listening_process(note.path) == note.pid:
        if time.monotonic() > end:
            raise MachineError(
                f"Process {note.pid}, which serves {note.path}, does not end", Hint("", "kill -9", str(note.pid))
            )
        time.sleep(LOOK_SECONDS)
    open_sockets()
