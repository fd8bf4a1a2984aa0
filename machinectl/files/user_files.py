"""The user's files: write a new one, never over another, and read a secret from one, which is never shown."""

from __future__ import annotations

import os
import stat

from machinectl.errors import Hint, MachineError

# As for any user's file, the umask applies; but no other user may change what is sent or read later.
READABLE = 0o664
# Characters; a longer line is not a secret. Pipes are allowed: --…-file <(pass show orion).
LONGEST_LINE = 1 << 16


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


def is_exposed(path: str) -> bool:
    """Pipes are private."""
    try:
        mode = os.stat(os.path.expanduser(path)).st_mode
    except OSError:
        return False
    return os.name == "posix" and stat.S_ISREG(mode) and bool(mode & (stat.S_IRGRP | stat.S_IROTH))


def read_secret(path: str, option: str) -> str:
    """Return the first line. Raises MachineError."""
    try:
        with open(os.path.expanduser(path), encoding="utf-8", errors="surrogateescape") as file:
            secret = file.readline(LONGEST_LINE + 1).rstrip("\r\n")
    except OSError as exc:
        raise MachineError(f"{option}: {path} cannot be read: {exc.strerror}", Hint("See", "ls -l", path)) from exc
    if len(secret) > LONGEST_LINE:
        raise MachineError(
            f"{option}: the first line of {path} is no secret: it does not end", Hint("See", "ls -l", path)
        )
    if not secret:
        raise MachineError(
            f"{option}: {path} has nothing on its first line", Hint("Write the secret there, on one line")
        )
    return secret
