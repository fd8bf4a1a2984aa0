"""Write files together: all or none, even if killed."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager, suppress

from machinectl.errors import Hint, MachineError, one_line
from machinectl.files.atomic import (
    PRIVATE_DIRECTORY,
    PRIVATE_FILE,
    Translated,
    make_directories,
    quote_word,
    read_file,
    remove_tree,
    sync_path,
    write_tree,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

PUBLIC_FILE = 0o644

# Directory of an incomplete set.
UNFINISHED = ".machinectl-unfinished"
# Its name once complete: if this process is killed, the next one moves the files into place.
COMMITTED = ".machinectl-committed"


def read_regular_file(path: str) -> bytes:
    """Raise MachineError if the file is missing, unreadable or not regular."""
    try:
        return read_file(path)
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else str(exc)
        directory = os.path.dirname(path) or "."
        raise MachineError(f"{path} cannot be read: {reason}", Hint("See", "ls -l", directory)) from exc


@contextmanager
def locked_directory(directory: str) -> Iterator[None]:
    """Create (0700) and lock the directory; finish a killed writer's work.

    Removes it afterwards if created here and empty.
    """
    import fcntl

    made = not os.path.lexists(directory)
    if not made and not os.path.isdir(directory):
        raise MachineError(f"{directory} is not a directory", Hint("Choose another name for the directory."))
    with directory_errors(directory):
        make_directories(directory)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with directory_errors(directory):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            finish_interrupted(directory)
        yield
    finally:
        os.close(descriptor)
        if made:
            with suppress(OSError):
                os.rmdir(directory)


def has_unplaced_files(directory: str) -> bool:
    """Return whether a killed writer left complete files, which are not all in place."""
    return os.path.lexists(os.path.join(directory, COMMITTED))


def place_left_files(directory: str) -> None:
    """Move the files of a killed writer into place. Raises MachineError."""
    if has_unplaced_files(directory):
        with locked_directory(directory):
            pass  # which moves them


def replace_together(
    directory: str, files: Mapping[str, bytes], *, force: bool, hint: Hint, mode: int = PUBLIC_FILE
) -> None:
    """Write all files or none; empty data removes a file. A name may be a path below the directory.

    Private keys are 0600, other files have `mode`. Raises MachineError with `hint` if other contents need `force`.
    """
    check_folders(directory, files)
    taken = [name for name, data in files.items() if differs(os.path.join(directory, name), data)]
    if not taken:
        return
    if not force:
        check_absent(directory, taken, hint)
    unfinished = os.path.join(directory, UNFINISHED)
    with directory_errors(directory):
        try:
            os.mkdir(unfinished, PRIVATE_DIRECTORY)
            write_tree(unfinished, files, lambda name: PRIVATE_FILE if name.endswith("key.pem") else mode)
            os.rename(unfinished, os.path.join(directory, COMMITTED))
        except BaseException:
            remove_tree(unfinished)
            raise
        put_into_place(directory)


def check_writable(directory: str) -> None:
    """Raise MachineError if files cannot be made in a directory. Call it with the directory locked."""
    with directory_errors(directory):
        os.mkdir(os.path.join(directory, UNFINISHED), PRIVATE_DIRECTORY)
        os.rmdir(os.path.join(directory, UNFINISHED))


def check_folders(directory: str, names: Iterable[str]) -> None:
    """Raise MachineError if a folder of the files is a file, or a link below the directory: keys would go elsewhere."""
    for name in dict.fromkeys(map(os.path.dirname, names)):
        folder = os.path.join(directory, name)
        if os.path.lexists(folder) and not os.path.isdir(folder):
            raise MachineError(f"{folder} is not a directory", Hint("Move it away", f"mv {quote_word(folder)} …"))
        if name and os.path.islink(folder):
            raise MachineError(
                f"{folder} is a link to {one_line(os.readlink(folder))}", Hint("Remove it", "rm", folder)
            )


def check_absent(directory: str, names: Iterable[str], hint: Hint) -> None:
    """Raise MachineError if one of the files is there."""
    present = [name for name in names if os.path.lexists(os.path.join(directory, name))]
    if present:
        raise MachineError(f"{directory} already holds {', '.join(present)}", hint)


def differs(path: str, data: bytes) -> bool:
    if not os.path.lexists(path):
        return bool(data)
    if os.path.isdir(path):
        raise MachineError(f"{path} is a directory", Hint("Move it away", f"mv {quote_word(path)} …"))
    try:
        return not data or read_regular_file(path) != data
    except MachineError:
        return True


def finish_interrupted(directory: str) -> None:
    """Keep a committed set, delete an unfinished one."""
    for name in (UNFINISHED, COMMITTED):
        check_leftover(os.path.join(directory, name))
    remove_tree(os.path.join(directory, UNFINISHED))
    if os.path.lexists(os.path.join(directory, COMMITTED)):
        put_into_place(directory)


def check_leftover(path: str) -> None:
    """Refuse another user's leftovers, which may be a trap."""
    if not os.path.lexists(path):
        return
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise MachineError(
            f"{path} is in the way: it is another user's, or not machinectl's",
            Hint("Run this as its owner, or remove it; see", "ls -ld", path),
        )


def put_into_place(directory: str) -> None:
    """Move a committed set into place; repeatable.

    A folder below it is placed like the directory itself, before it.
    """
    committed = os.path.join(directory, COMMITTED)
    sync_path(directory)
    for staged, folders, names in os.walk(committed, topdown=False):
        place = os.path.join(directory, os.path.relpath(staged, committed))
        make_directories(place)
        put_folder_into_place(staged, place, names)
        for folder in folders:
            os.rmdir(os.path.join(staged, folder))
        sync_path(place)
    os.rmdir(committed)
    sync_path(directory)


def put_folder_into_place(staged: str, place: str, names: Sequence[str]) -> None:
    """Replace ca.pem last and remove the old one first: docker and dockerd need it, so that no mix looks complete."""
    if "ca.pem" in names:
        with suppress(FileNotFoundError):
            os.unlink(os.path.join(place, "ca.pem"))
    for name in sorted(names, key=lambda name: (name == "ca.pem", name)):
        new, target = os.path.join(staged, name), os.path.join(place, name)
        if name == "ca.pem":
            sync_path(place)
        if os.path.getsize(new):
            os.replace(new, target)
            continue
        with suppress(FileNotFoundError):
            os.unlink(target)
        os.unlink(new)


def directory_errors(directory: str) -> Translated:
    choose = Hint("Choose a directory that you may write to")
    return Translated(directory, choose, MachineError)
