"""Write files completely or not at all, private from the first byte."""

from __future__ import annotations

import errno
import os
import stat

from machinectl.errors import NO_HINT, Hint, MachineError, shell_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

PRIVATE_DIRECTORY = 0o700
PRIVATE_FILE = 0o600

# Windows has no O_NONBLOCK and no named pipes, and needs O_BINARY.
WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
# Bytes.
PIECE = 1 << 16
# Bytes. Keys, certificates and pins have some KB; a bundle of all public CAs has a quarter of this.
LONGEST = 1 << 20
# Errors of flock on file systems without locks (NFS without its lock daemon).
NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
CHOOSE_STORE = Hint("Choose another store", "machinectl --storage-path <DIR> ls")


class StoreError(MachineError):
    """The store cannot be used: permissions, full disk, read-only."""


class Translated:
    """Raises errors of the operating system as `error`, with a hint unless the disk is full."""

    def __init__(
        self, path: str, hint: Hint = CHOOSE_STORE, error: Callable[[str, Hint], MachineError] = StoreError
    ) -> None:
        self.path = path
        self.hint = hint
        self.error = error

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, _: TracebackType | None) -> None:
        if not isinstance(exc, OSError):
            return
        hint = Hint("Its file system does not support locks (NFS?)") | self.hint if exc.errno in NO_LOCKS else self.hint
        hint = full_disk_hint(exc, os.path.dirname(self.path) or os.curdir) or hint
        raise self.error(f"Cannot use {self.path}: {exc.strerror or exc}", hint) from exc


def full_disk_hint(failure: OSError, path: str) -> Hint:
    """Return "" for another failure."""
    is_full = failure.errno in {errno.ENOSPC, errno.EDQUOT}
    return Hint("Make room on the disk that holds it", "df -h", path) if is_full else NO_HINT


def read_file(path: str, longest: int = LONGEST) -> bytes:
    """Read a regular file without blocking on pipes. Raises OSError, also above `longest` bytes."""
    # A file object's buffer costs more than reading, for thousands of records.
    descriptor = open_without_waiting(path, os.O_RDONLY)
    try:
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "Not a regular file", path)
        data = piece = os.read(descriptor, min(found.st_size, longest) + 1)
        while piece and len(data) <= longest:
            piece = os.read(descriptor, PIECE)
            data += piece
    finally:
        os.close(descriptor)
    if len(data) > longest:
        raise OSError(errno.EFBIG, f"It has more than {longest >> 20} MB", path)
    return data


def open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | WITHOUT_WAITING)


def replace_file(path: str, data: bytes) -> None:
    """Write temp file, fsync, rename.

    The temporary name is fixed: callers hold the lock, and the next write removes leftovers.
    """
    directory, name = os.path.split(path)
    with Translated(path):
        write_and_rename(path, os.path.join(directory, f".{name}.tmp"), data)


def write_and_rename(path: str, temporary: str, data: bytes, prepare: Callable[[int], object] = lambda _: None) -> None:
    """Pass the new file's descriptor to `prepare` before writing. Raises OSError."""
    try:
        remove_if_present(temporary)
        write_new(temporary, data, prepare=prepare)
        os.replace(temporary, path)
    except BaseException:
        remove_if_present(temporary)
        raise
    sync_path(os.path.dirname(path))


def write_new(
    path: str,
    data: bytes,
    mode: int = PRIVATE_FILE,
    prepare: Callable[[int], object] = lambda _: None,
    *,
    sync: bool = True,
) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "wb") as file:
        prepare(descriptor)
        file.write(data)
        file.flush()
        if sync:
            os.fsync(descriptor)


def write_tree(
    directory: str, files: Mapping[str, bytes], mode_of: Callable[[str], int] = lambda _: PRIVATE_FILE
) -> None:
    """Write new files below a directory in their order, and sync them and all folders there. Raises OSError."""
    for name, data in files.items():
        path = os.path.join(directory, name)
        make_directories(os.path.dirname(path))
        write_new(path, data, mode_of(name), sync=False)
    for path in (*(os.path.join(directory, name) for name in files), *(folder for folder, _, _ in os.walk(directory))):
        sync_path(path)


def make_directories(path: str) -> None:
    """Make a directory and those above it private, whatever the umask: os.makedirs gives a mode to the last one only.

    Raises OSError.
    """
    if not path or os.path.isdir(path):
        return
    make_directories(os.path.dirname(path))
    try:
        os.mkdir(path, PRIVATE_DIRECTORY)
    except FileExistsError as exc:
        # Another process was faster, or it is a file.
        if not os.path.isdir(path):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path) from exc


def remove_if_present(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def sync_path(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_tree(path: str) -> None:
    """Ignore errors."""
    import shutil

    if os.path.islink(path):
        remove_if_present(path)
    else:
        shutil.rmtree(path, ignore_errors=True)


def quote_word(word: str) -> str:
    """Quote for sh. Control characters are escaped: a terminal would not show them."""
    if word.isprintable():
        return shell_word(word)
    from machinectl.shell import POSIX

    return POSIX.quoted(word)


def take_lock(descriptor: int, *, without_locks: bool) -> bool:
    """Lock an open file or directory while this process lives. Return False if another process holds it.

    `without_locks` is what to return on a file system that has no locks.
    """
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return without_locks
    return True
