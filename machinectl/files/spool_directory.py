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
ENDED = "-ended"
ATTEMPTS = 3
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
        # A thread that still writes finds no place for more files.
        with suppress(OSError):
            os.rename(path, path := f"{path}{ENDED}")
        remove_directory(path)
        os.close(descriptor)


def remove_directory(path: str) -> None:
    """Ignore errors. A file that a thread was making before the directory's renaming needs another attempt."""
    for _ in range(ATTEMPTS):
        shutil.rmtree(path, ignore_errors=True)
        if not os.path.lexists(path):
            break


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
        mine = [each.path for each in entries if each.name.startswith(prefix) and is_own_directory(each)]
    for path in mine:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            # Another process has removed it.
            continue
        try:
            if take_lock(descriptor, without_locks=False):
                shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(descriptor)


def is_own_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_uid == os.getuid()
    except OSError:
        return False
