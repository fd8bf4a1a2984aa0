"""Write a new file for the user; never overwrite one."""

from __future__ import annotations

import os

from machinectl.errors import Hint, MachineError

# As for any user's file, the umask applies; but no other user may change what is sent or read later.
READABLE = 0o664


def write_new_file(path: str, text: str) -> None:
    """Write a new file. Raises MachineError, and leaves no partial file."""
    descriptor = create_file(path)
    try:
        with open(descriptor, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(descriptor)
    except BaseException as exc:
        os.unlink(path)
        if isinstance(exc, OSError):
            raise write_error(path, exc) from exc
        raise


def check_new_file(path: str) -> None:
    """Raise MachineError if the file exists or cannot be made, before work whose result goes into it."""
    os.close(create_file(path))
    os.unlink(path)


def create_file(path: str) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, READABLE)
    except FileExistsError as exc:
        if os.path.isdir(path):
            raise MachineError(f"{path} is a directory", Hint("Name a file in it")) from exc
        raise MachineError(
            f"{path} exists already, and was not changed",
            Hint("Choose another name, or move the file", "mv", path, f"{path}.old"),
        ) from exc
    except (OSError, ValueError) as exc:
        raise write_error(path, exc) from exc


def write_error(path: str, why: OSError | ValueError) -> MachineError:
    directory = os.path.dirname(path) or os.curdir
    return MachineError(
        f"{path} cannot be written: {file_error(why)}", Hint("See", "ls -ld", directory) | Hint("", "df -h", directory)
    )


def file_error(exc: OSError | ValueError) -> str:
    return exc.strerror or str(exc) if isinstance(exc, OSError) else "no file has such a name"
