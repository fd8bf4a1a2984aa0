"""The sockets of machines on this computer: open one, ask those that are open, close one. Light path.

A socket itself answers whose it is (`ASKING`). It is in the user's private directory, or a link there leads to it.
What a killed process leaves is replaced by the next socket at its path.
"""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import contextmanager, suppress

from machinectl.errors import Hint, MachineError
from machinectl.files.atomic import remove_if_present
from machinectl.files.ownership import exposed
from machinectl.files.user_directories import is_dead_socket, listening_process, socket_directory
from machinectl.hosts.docker_environment import UNIX
from machinectl.value_classes import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from machinectl.machines.store import Store

# The request that a socket answers, and seconds for its answer.
ASKING, ASK_SECONDS = b"GET /machinectl-socket HTTP/1.1\r\n", 1.0
REST_OF_HEAD = b"Host: machinectl\r\nConnection: close\r\n\r\n"
# Bytes of a default path. Linux allows 107, macOS 103; programs that copy the path with a prefix, less.
LONGEST = 100
ENDING, LOG_ENDING = ".sock", ".log"
STORE_LETTERS, NAME_LETTERS = 8, 24
# Only the user may connect.
OTHERS = 0o177
# Connections that wait to be accepted; the system allows no more (listen(2)).
BACKLOG = 4096
# Seconds that a process has to end, and between two looks whether it has.
END_SECONDS, LOOK_SECONDS = 5.0, 0.02


class OpenSocket(Frozen):
    """`command` is the program that it is for, "" for none; `log` the file of a process in the background.

    `pid` is the process that listens, 0 if that is in another PID namespace.
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


class AlreadyOpen(MachineError):
    def __init__(self, other: OpenSocket) -> None:
        super().__init__(
            f"{other.path} is in use already: {other.server} serves {other.machine} there",
            Hint("Close it", "machinectl socket rm", other.path) | Hint("or name another one: --path <FILE>"),
        )
        self.other = other


def ask_socket(path: str) -> OpenSocket | None:
    """Return what a socket says of itself, None if it is not one of ours, or says nothing in time."""
    import socket

    pid = listening_process(path)
    if pid is None:
        return None
    answer = b""
    with suppress(OSError, ValueError, TypeError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ASK_SECONDS)
        connection.connect(path)
        connection.sendall(ASKING + REST_OF_HEAD)
        while piece := connection.recv(1 << 16):
            answer += piece
        told = json.loads(answer.partition(b"\r\n\r\n")[2])
        # Another version may say more, or less.
        return OpenSocket(**{**{name: told[name] for name in OpenSocket.fields_by_name if name in told}, "pid": pid})
    return None


def machine_at_socket(store: Store, url: str) -> str:
    """Return the machine whose open socket is at a docker URL, or ""."""
    if not url.startswith(UNIX):
        return ""
    told = ask_socket(url.removeprefix(UNIX))
    return told.machine if told and told.store == store.root and store.exists(told.machine) else ""


def sockets_directory() -> str:
    """Raises MachineError if no place is private."""
    if directory := socket_directory():
        return directory
    raise MachineError(
        "There is no private directory for a socket",
        Hint("See", "ls -ld /tmp/machinectl-$(id -u)") | Hint("or name another place", "export TMPDIR=<DIRECTORY>"),
    )


def open_sockets() -> list[OpenSocket]:
    """Return the user's open sockets."""
    directory = sockets_directory()
    entries = [os.path.join(directory, name) for name in sorted(os.listdir(directory)) if name.endswith(ENDING)]
    return [own for entry in entries if (own := ask_socket(entry))]


def sockets_of(store: Store, name: str) -> list[OpenSocket]:
    sockets = open_sockets() if socket_directory() else []
    return [own for own in sockets if (own.store, own.machine) == (store.root, name)]


def renamed_sockets(store: Store, _old: str, new: str) -> list[str]:
    """Return what to say of the sockets of a machine that has another name now."""
    return [f"Its socket {own.path} stays open" for own in sockets_of(store, new)]


def entry_of(path: str) -> str:
    """Return the path in the private directory: its own, or that of a link to it."""
    directory = sockets_directory()
    return path if os.path.dirname(path) == directory else os.path.join(directory, digest(path)[:NAME_LETTERS] + ENDING)


def log_file(path: str) -> str:
    """Return the log of the process in the background that serves a path."""
    return entry_of(path).removesuffix(ENDING) + LOG_ENDING


def default_path(store: Store, name: str, unique: str = "") -> str:
    """Return a machine's path, the same each time; with `unique`, one of its own."""
    from machinectl.machines.store import Store as UsualStore

    of_store = "" if store.root == UsualStore().root else digest(store.root)[:STORE_LETTERS]
    path = os.path.join(sockets_directory(), "-".join(filter(None, (name, of_store, unique))) + ENDING)
    return path if len(os.fsencode(path)) <= LONGEST else entry_of(f"{path}/")


def shared_path(store: Store, name: str) -> str:
    """Return the path of a machine's open socket, which keeps it after a rename, else the default one."""
    own = [each.path for each in sockets_of(store, name) if not each.command]
    return own[0] if own else default_path(store, name)


def digest(text: str) -> str:
    import hashlib

    return hashlib.sha256(os.fsencode(text)).hexdigest()


def check_same(other: OpenSocket, store: Store, name: str, *, forward: bool) -> None:
    """Raise AlreadyOpen for another machine's socket, one without ports, or one that ends with its command."""
    if (other.machine, other.store) != (name, store.root) or other.command or (forward and not other.forwards):
        raise AlreadyOpen(other)


def checked_path(path: str) -> str:
    """Return an absolute path in a directory that only the user can write to. Raises MachineError."""
    path = os.path.abspath(path)
    directory = os.path.dirname(path)
    # Its owner could rename the socket of root, and listen in its place.
    if unsafe := exposed(directory, root_anywhere=False):
        raise MachineError(
            f"{unsafe.path} is not safe for a socket: {unsafe.why}",
            Hint("Name a file in a private directory: --path <FILE>"),
        )
    return path


@contextmanager
def opened_socket(own: OpenSocket) -> Iterator[socket.socket]:
    """Listen at a path, and remove the socket and the log at the end.

    Raises AlreadyOpen, or MachineError for a foreign file.
    """
    path = checked_path(own.path)
    entry = entry_of(path)
    if other := ask_socket(path):
        raise AlreadyOpen(other)
    with listening_socket(path) as listener:
        created = os.lstat(path)
        if entry != path:
            remove_if_present(entry)
            os.symlink(path, entry)
        try:
            yield listener
        finally:
            # A process that waits for the end of the socket may open another one at once.
            with suppress(OSError):
                if own.log:
                    remove_if_present(own.log)
                if os.path.samestat(created, os.lstat(path)):
                    os.unlink(path)
            if entry != path and not os.path.exists(entry):
                remove_if_present(entry)


def listening_socket(path: str) -> socket.socket:
    """Replace a socket of the user's at which nobody listens. Raises MachineError for any other file."""
    import socket

    if os.path.lexists(path) and not is_dead_socket(path):
        raise MachineError(
            f"{path} exists, and is not a socket of machinectl's",
            Hint("See", "ls -l", path) | Hint("or name another: --path <FILE>"),
        )
    remove_if_present(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(OTHERS)
    try:
        listener.bind(path)
    except OSError as exc:
        listener.close()
        see = Hint("See", "ls -ld", os.path.dirname(path))
        raise MachineError(f"Cannot create the socket {path}: {exc.strerror or exc}", see) from exc
    finally:
        os.umask(before)
    listener.listen(BACKLOG)
    return listener


def close_sockets(store: Store, what: str) -> Iterator[OpenSocket]:
    """Close a machine's sockets, or that at a path. Yields each. Those of running commands stay."""
    path = os.path.abspath(what)
    sockets = [own for own in open_sockets() if own.path == path] or sockets_of(store, what)
    if not sockets:
        if os.sep not in what:
            store.check_exists(what)
        cause = f"machinectl has no open socket at {what}" if os.sep in what else f"{what} has no open socket"
        raise MachineError(cause, Hint("List the open ones", "machinectl socket ls"))
    free = [own for own in sockets if not own.command]
    if not free:
        own = sockets[0]
        raise MachineError(
            f"{own.path} is in use by {own.command}, and ends with it", Hint("To end both", "kill", str(own.pid))
        )
    for own in free:
        end_process(own)
        yield own


def end_process(own: OpenSocket) -> None:
    """End the process that listens at a socket. Raises MachineError if it does not end."""
    if not own.pid:
        raise MachineError(
            f"{own.path} is served by {own.server}, such as a container's",
            Hint("Close it there", "machinectl socket rm", own.path),
        )
    with suppress(ProcessLookupError):
        os.kill(own.pid, signal.SIGTERM)
    end = time.monotonic() + END_SECONDS
    # It removes the socket last.
    while listening_process(own.path) == own.pid:
        if time.monotonic() > end:
            raise MachineError(
                f"Process {own.pid}, which serves {own.path}, does not end", Hint("", "kill -9", str(own.pid))
            )
        time.sleep(LOOK_SECONDS)
