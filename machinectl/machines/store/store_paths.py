"""Where the store has its files, and the names of its machines.

STORE/locks/NAME      one lock per machine; it stays when the machine is removed
STORE/staging/NAME    a machine being added or removed; if its process is killed, the next one deletes it
STORE/machines/NAME/  machine.json and the certificates; DOCKER_CERT_PATH is this directory
  pending/            certificates that the engine may already serve (hosts.certificates.pending)
STORE/removed/NAME/   a machine that was removed while its host keeps changes (removed_machines)
STORE/ssh_config      for ssh to include, if asked for (hosts.exports.ssh_config_file)
"""

from __future__ import annotations

import errno
import os

from machinectl.errors import MachineError
from machinectl.files.atomic import Translated, quoted
from machinectl.machines import record
from machinectl.machines.store.lock import is_locked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

RECORD = "machine.json"
# In bytes. The record has a copy of the host's daemon.json and the other changes in it.
LONGEST_RECORD = 16 << 20
# Something else has the record's name: a directory, a link to itself, a pipe, device or socket, a huge file.
NO_RECORD = {errno.EISDIR, errno.ELOOP, errno.EINVAL, errno.ENXIO, errno.EFBIG}
DOCKER_MACHINE_RECORD = "config.json"
# docker-machine's default store.
DOCKER_MACHINE_ROOT = "~/.docker/machine"
PENDING = "pending"


class NoSuchMachine(MachineError):
    """The store has no machine of that name."""


def default_root() -> str:
    """Return the default directory of the store: the answer of platformdirs on Linux, without its 20 ms.

    macOS has the same: its own path contains a space, which breaks `docker $(machinectl config NAME)`.
    """
    if os.name == "nt":
        import platformdirs

        return platformdirs.user_data_dir("machinectl", appauthor=False)
    data = os.environ.get("XDG_DATA_HOME", "").strip() or os.path.expanduser("~/.local/share")
    return os.path.join(data, "machinectl")


def into_own_store(root: str) -> str:
    """Return the command that imports a docker-machine store, which is also in use as ours, into a store of our own."""
    if os.path.abspath(os.environ.get("MACHINE_STORAGE_PATH", "") or os.sep) == root:
        return f"unset MACHINE_STORAGE_PATH; machinectl import --from-docker-machine {quoted(root)}"
    return f"machinectl -s {quoted(default_root())} import --from-docker-machine {quoted(root)}"


def now() -> str:
    """Return the time as records have it (RFC 3339)."""
    from datetime import UTC, datetime

    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class StorePaths:
    """The directories of a store; creates none of them."""

    def __init__(self, root: str = "", warn: Callable[[str], None] = lambda _: None) -> None:
        # Called with warnings about the store itself.
        self.warn = warn
        self.root = os.path.abspath(root or os.environ.get("MACHINE_STORAGE_PATH", "") or default_root())
        self.machines = os.path.join(self.root, "machines")
        self.staging = os.path.join(self.root, "staging")
        self.locks = os.path.join(self.root, "locks")
        self.removed = os.path.join(self.root, "removed")

    def directory(self, name: str) -> str:
        """Return the machine's directory, absolute: the value of DOCKER_CERT_PATH."""
        return os.path.join(self.machines, name)

    def names(self) -> list[str]:
        """Return the names of all machines in natural order, whether or not their records can be read."""
        with Translated(self.machines):
            try:
                with os.scandir(self.machines) as entries:
                    found = [entry.name for entry in entries if record.is_name(entry.name) and entry.is_dir()]
            except FileNotFoundError:
                return []
        return sorted(found, key=record.natural)

    def exists(self, name: str) -> bool:
        """Return whether a machine has that name, whether or not its record can be read."""
        return record.is_name(name) and os.path.isdir(self.directory(name))

    def is_docker_machines(self, name: str) -> bool:
        """Return whether a machine is docker-machine's: its directory is never written to."""
        directory = self.directory(name)
        return os.path.exists(os.path.join(directory, DOCKER_MACHINE_RECORD)) and not os.path.lexists(
            os.path.join(directory, RECORD)
        )

    def lock_path(self, name: str) -> str:
        """Return the path of a machine's lock; names that differ only in case share one."""
        return os.path.join(self.locks, name.lower())

    def is_locked(self, name: str) -> bool:
        """Return whether another process writes a machine now. Writes nothing."""
        return is_locked(self.lock_path(name))

    def is_unsettled(self, name: str) -> bool:
        """Return whether it is not yet known which certificates the engine serves; see `hosts.certificates.pending`."""
        return os.path.lexists(os.path.join(self.directory(name), PENDING))
