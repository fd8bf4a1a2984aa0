"""Note which sockets are open, so that others find, list and remove them.

A note is in the user's private directory. Its process holds a lock on it. A killed process leaves a note without a
lock, which the next command removes with its socket.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import signal
import time
from contextlib import contextmanager, suppress

from machinectl.errors import MachineError
from machinectl.files.atomic import PRIVATE_FILE, read_file, remove_if_present
from machinectl.files.dead_sockets import remove_dead_socket
from machinectl.files.runtime_directory import socket_directory
from machinectl.machines.store.lock import is_locked
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
    """`command` is the program that it is for, "" for none; `log` the file of a process in the background."""

    machine: str
    store: str
    path: str
    pid: int
    command: str = ""
    log: str = ""
    # Whether published ports are forwarded, too.
    forwards: bool = False


def notes_directory() -> str:
    """Raises MachineError if no place is private."""
    if directory := socket_directory():
        return directory
    raise MachineError(
        "There is no private directory for a socket",
        "See: ls -ld /tmp/machinectl-$(id -u); or name another place: export TMPDIR=<DIRECTORY>",
    )


def note_file(path: str) -> str:
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:DIGEST_LETTERS]
    return os.path.join(notes_directory(), f"{digest}{SUFFIX}")


def log_file(path: str) -> str:
    """Return the log of the process in the background that serves a path."""
    return note_file(path).removesuffix(SUFFIX) + LOG_SUFFIX


@contextmanager
def others_waiting() -> Iterator[None]:
    """Let no other command open, sweep or remove a socket meanwhile."""
    descriptor = os.open(os.path.join(notes_directory(), LOCK), os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
    try:
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


def rename_in_notes(store: Store, old: str, new: str) -> list[SocketNote]:
    """Note the new name of a machine for its open sockets, and return them."""
    found = sockets_of(store, old)
    for note in found:
        with others_waiting(), suppress(FileNotFoundError), open(note_file(note.path), "r+b") as file:
            # Its process holds the lock on this file.
            file.write(json.dumps(vars(replace(note, machine=new))).encode())
            file.truncate()
    return found


def machine_of_socket(store: Store, path: str) -> str:
    """Return the machine whose open socket is at a path, or ""."""
    try:
        file = note_file(path)
    except MachineError:
        return ""
    note = read_note(file) if is_locked(file) else None
    return note.machine if note and note.store == store.root and store.exists(note.machine) else ""


def socket_at(path: str) -> SocketNote | None:
    with others_waiting():
        return living_note(note_file(path))


def living_note(file: str) -> SocketNote | None:
    """Return the note of a process that lives; else remove the note and its socket."""
    note = read_note(file)
    if is_locked(file):
        return note
    if note:
        remove_dead_socket(note.path)
        remove_log(note)
    remove_if_present(file)
    return None


def read_note(file: str) -> SocketNote | None:
    try:
        found = json.loads(read_file(file))
        # Another version may have written more, or less.
        return SocketNote(**{name: found[name] for name in SocketNote.fields_by_name if name in found})
    except (OSError, ValueError, TypeError):
        return None


def write_note(note: SocketNote) -> int:
    """Write a new note, and return the descriptor that holds its lock. Call with others waiting."""
    file = note_file(note.path)
    remove_if_present(file)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    # Waits for a process that looks whether the file is locked.
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.write(descriptor, json.dumps(vars(note)).encode())
    return descriptor


def remove_note(note: SocketNote, descriptor: int) -> None:
    with suppress(OSError, MachineError):
        remove_if_present(note_file(note.path))
    remove_log(note)
    os.close(descriptor)


def remove_log(note: SocketNote) -> None:
    if note.log:
        with suppress(OSError):
            os.unlink(note.log)


def end_process(note: SocketNote) -> None:
    """Raises MachineError if it does not end."""
    file = note_file(note.path)
    with suppress(ProcessLookupError):
        os.kill(note.pid, signal.SIGTERM)
    end = time.monotonic() + END_SECONDS
    while is_locked(file):
        if time.monotonic() > end:
            raise MachineError(f"Process {note.pid}, which serves {note.path}, does not end", f"kill -9 {note.pid}")
        time.sleep(LOOK_SECONDS)
    living_note(file)
