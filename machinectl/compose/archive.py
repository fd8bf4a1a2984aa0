"""The tar archive that receive.sh takes."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from typing import TYPE_CHECKING, BinaryIO

from machinectl.compose.local_files import MADE, FileHere
from machinectl.compose.sent_files import NANO, above
from machinectl.errors import Hint, MachineError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machinectl.compose.sent_files import Changes, FileThere


def write_archive(to: BinaryIO, changes: Changes, there: Mapping[str, FileThere], end: str) -> None:
    """Write what receive.sh takes. Directories above new files come along as they are there, or as we make them."""
    parents = {place for path in changes.new for place in above(path)} - changes.new.keys()
    with tarfile.open(fileobj=to, mode="w|", format=tarfile.GNU_FORMAT, bufsize=1 << 16) as archive:
        for path in sorted(parents):
            add(archive, f"tree{path}", FileHere(*there[path][:3]) if path in there else MADE, path)
        for path, entry in sorted(changes.new.items()):
            add(archive, f"tree{path}", entry, path)
        for path, entry in sorted(changes.in_place.items()):
            add(archive, f"in-place{path}", entry, path)
        add_list(archive, "removed", changes.removed)
        add_list(archive, "replaced", sorted(changes.in_place))
        add_list(archive, end, ())


def add(archive: tarfile.TarFile, name: str, entry: FileHere, path: str) -> None:
    member = tarfile.TarInfo(name)
    member.mode, member.uid, member.gid = stat.S_IMODE(entry.mode), entry.uid, entry.gid
    member.mtime = entry.time // NANO
    if entry.is_directory:
        member.type = tarfile.DIRTYPE
        archive.addfile(member)
    elif entry.link is not None:
        member.type, member.linkname = tarfile.SYMTYPE, entry.link
        archive.addfile(member)
    else:
        member.size = entry.size
        try:
            with open(path, "rb") as file:
                archive.addfile(member, file)
        except BrokenPipeError:
            raise
        except OSError as exc:
            raise MachineError(
                f"{path} changed while it was sent: {exc.strerror or exc}", Hint("Type the same again")
            ) from exc


def add_list(archive: tarfile.TarFile, name: str, paths: Sequence[str]) -> None:
    data = b"".join(os.fsencode(f".{path}") + b"\0" for path in paths)
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))
