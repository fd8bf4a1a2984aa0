"""Where temporary files are. Light path."""

from __future__ import annotations

import os

from machinectl.errors import Hint, MachineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

# Linux keeps these files in memory, so that a container with a read-only root can write them, too.
IN_MEMORY = "/dev/shm"  # noqa: S108 - for what others cannot replace


def temporary_place() -> str:
    """Return $TMPDIR or the system's place; IN_MEMORY if nothing can be written there. Raises MachineError."""
    import tempfile

    try:
        return tempfile.gettempdir()
    except OSError as exc:
        if os.access(IN_MEMORY, os.W_OK):
            return IN_MEMORY
        place = os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - for a message only
        raise MachineError(
            f"Cannot write temporary files to {place}, nor to another directory",
            Hint("Make room there, or name another directory", "export TMPDIR=<DIRECTORY>"),
        ) from exc


def small_file() -> IO[bytes]:
    """Return a file without a name for a program's messages; on Linux it needs no disk."""
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("machinectl"), "w+b")
    import tempfile

    return tempfile.TemporaryFile()
