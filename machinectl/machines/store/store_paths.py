"""Paths of the store, names of its machines, and file locks, which the kernel releases when the process ends.

STORE/locks/NAME      a machine's lock; never removed
STORE/staging/NAME    a machine being added or removed; the next process deletes leftovers
STORE/machines/NAME/  machine.json and certificates: DOCKER_CERT_PATH
  pending/            certificates that the engine may already serve (hosts.identity)
STORE/removed/NAME/   a removed machine whose host keeps changes
STORE/ssh_config      for ssh to include (hosts.exports.ssh_config_file)
"""

from __future__ import annotations

import errno
import os

from machinectl.errors import Hint, MachineError
from machinectl.files.atomic import PRIVATE_FILE, StoreError, Translated, open_without_waiting
from machinectl.files.user_directories import check_home_known
from machinectl.machines import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

RECORD = "machine.json"
# Bytes. A record copies the host's daemon.json.
LONGEST_RECORD = 16 << 20
# Errors of opening a record that is a directory, a link to itself, a pipe, device or socket, or huge.
NO_RECORD = {errno.EISDIR, errno.ELOOP, errno.EINVAL, errno.ENXIO, errno.EFBIG}
DOCKER_MACHINE_RECORD = "config.json"
# docker-machine's default store.
DOCKER_MACHINE_ROOT = "~/.docker/machine"
PENDING = "pending"
# Locks of this process, with their holders: flock would wait for itself.
HELD: dict[str, object] = {}
NAME_STORE = Hint("Set HOME, or name the store", "export MACHINE_STORAGE_PATH=<DIR>")


class NoSuchMachine(MachineError):
    """No machine has that name. `unexplained`: nor anything like it."""


def default_root() -> str:
    """Return platformdirs' answer on Linux, without its 20 ms.

    On macOS, too: a path with a space would break `docker $(machinectl config NAME)`.
    """
    if os.name == "nt":
        import platformdirs

        return platformdirs.user_data_dir("machinectl", appauthor=False)
    data = os.environ.get("XDG_DATA_HOME", "").strip() or os.path.expanduser("~/.local/share")
    return os.path.join(data, "machinectl")


def now() -> str:
    """Return the time in RFC 3339."""
    from datetime import UTC, datetime

    from machinectl.quantities import rfc3339

    return rfc3339(datetime.now(UTC))


class StorePaths:
    """Paths in a store of machines, or of what is `kept` of removed ones, whose hosts keep changes; creates none."""

    def __init__(self, root: str = "", warn: Callable[..., None] = lambda *_: None, *, kept: str = "machines") -> None:
        # Called with warnings about the store.
        self.warn = warn
        # Returns the words of the command line: a name among them is not what a mistyped one means.
        self.words: Callable[[], Sequence[str]] = tuple
        root = root or os.environ.get("MACHINE_STORAGE_PATH", "")
        if not root:
            root = default_root()
            check_home_known(root, NAME_STORE)
        self.root = os.path.abspath(root)
        self.machines = os.path.join(self.root, kept)
        self.staging = os.path.join(self.root, "staging")
        self.locks = os.path.join(self.root, "locks")

    @property
    def removed(self) -> Self:
        return type(self)(self.root, warn=self.warn, kept="removed")

    def directory(self, name: str) -> str:
        """Return an absolute path, for DOCKER_CERT_PATH."""
        return os.path.join(self.machines, name)

    def names(self) -> list[str]:
        """Return names in natural order, also of unreadable records."""
        with Translated(self.machines):
            try:
                with os.scandir(self.machines) as entries:
                    found = [entry.name for entry in entries if record.is_name(entry.name) and entry.is_dir()]
            except FileNotFoundError:
                return []
        return sorted(found, key=record.natural)

    def exists(self, name: str) -> bool:
        """Return whether a machine exists, maybe with an unreadable record."""
        return record.is_name(name) and os.path.isdir(self.directory(name))

    def is_docker_machines(self, name: str) -> bool:
        """Return whether docker-machine owns the directory; never write to it."""
        directory = self.directory(name)
        return os.path.exists(os.path.join(directory, DOCKER_MACHINE_RECORD)) and not os.path.lexists(
            os.path.join(directory, RECORD)
        )

    def lock_path(self, name: str) -> str:
        """Return the lock's path; names that differ only in case share it."""
        return os.path.join(self.locks, name.lower())

    def is_unsettled(self, name: str) -> bool:
        """Return whether the engine's certificates are uncertain; see `hosts.identity`."""
        return os.path.lexists(os.path.join(self.directory(name), PENDING))


class Lock:
    """A file lock. While it waits, it calls `waiting`, which pauses, repeatedly."""

    def __init__(self, path: str, waiting: Callable[[], None] | None = None) -> None:
        self.path = path
        self.waiting = waiting
        self.descriptor = -1

    def acquire(self, *, wait: bool) -> bool:
        """Take the lock. Without `wait`, return False if another process holds it."""
        import fcntl

        with Translated(self.path):
            self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
        try:
            with Translated(self.path):
                fcntl.flock(self.descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except StoreError as exc:
            self.release()
            if isinstance(exc.__cause__, BlockingIOError):
                return False
            raise
        return True

    def release(self) -> None:
        os.close(self.descriptor)

    def __enter__(self) -> None:
        if self.waiting is None:
            self.acquire(wait=True)
            return
        while not self.acquire(wait=False):
            self.waiting()

    def __exit__(self, *_: object) -> None:
        self.release()


def is_locked(path: str) -> bool:
    """Check without creating the lock's file."""
    try:
        descriptor = open_without_waiting(path, os.O_RDONLY)
    except OSError:
        return False
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as exc:
        # A file system without locks: not held.
        return isinstance(exc, BlockingIOError)
    finally:
        os.close(descriptor)
    return False
