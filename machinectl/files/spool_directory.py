"""A private directory for temporary files. The next process removes the directory of a killed one."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager, suppress

from machinectl.files.atomic import take_lock
from machinectl.files.ownership import checked_place
from machinectl.files.user_directories import temporary_place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX, SSH_PREFIX = "machinectl-spool-", "machinectl-ssh-"
# /tmp is often kept in memory, /var/tmp is not (file-hierarchy(7)).
ON_DISK = "/var/tmp"  # noqa: S108 (mkdtemp makes a private directory in it)


@contextmanager
def temporary_directory() -> Iterator[str]:
    """Make a directory for ssh's files, which may be programs. Raises MachineError if it is not safe."""
    places = [temporary_place(), ON_DISK, os.path.expanduser("~")]
    writable = [place for place in places if os.access(place, os.W_OK)]
    runs_programs = (place for place in writable if not os.statvfs(place).f_flag & getattr(os, "ST_NOEXEC", 0))
    place = next(runs_programs, places[0])
    with own_directory(checked_place(place), SSH_PREFIX) as path:
        yield path


@contextmanager
def spool_directory() -> Iterator[str]:
    """Make a directory for large files in $TMPDIR, else /var/tmp, and remove it at the end.

    Raises OSError, and MachineError if another user could replace the directory.
    """
    place = ON_DISK if not os.environ.get("TMPDIR") and os.access(ON_DISK, os.W_OK) else temporary_place()
    with own_directory(checked_place(place), PREFIX) as path:
        yield path


@contextmanager
def own_directory(place: str, prefix: str) -> Iterator[str]:
    """Make a directory of mode 0700, and remove it at the end. Raises OSError."""
    remove_abandoned(place, prefix)
    path, descriptor = new_directory(place, prefix)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        # If a thread still writes there, the next process removes the rest.
        os.close(descriptor)


def new_directory(place: str, prefix: str) -> tuple[str, int]:
    """Return a locked directory and its descriptor. Another process may remove one before it is locked."""
    while True:
        path = tempfile.mkdtemp(prefix=prefix, dir=place)
        with suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDONLY)
            if take_lock(descriptor, without_locks=True) and os.path.lexists(path):
                return path, descriptor
            os.close(descriptor)


def remove_abandoned(place: str, prefix: str) -> None:
    """Remove directories of ours that no process holds."""
    with os.scandir(place) as entries:
        paths = [entry.path for entry in entries if entry.name.startswith(prefix)]
    for path in paths:
        # It may be another user's, or another process has removed it.
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
            try:
                if os.fstat(descriptor).st_uid == os.getuid() and take_lock(descriptor, without_locks=False):
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(descriptor)
