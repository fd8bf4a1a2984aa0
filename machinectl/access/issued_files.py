"""Write a tool's files, and know them again: what somebody has changed since is not overwritten unasked."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING

from machinectl.errors import NO_HINT, Hint, MachineError, one_line
from machinectl.files.atomic import PRIVATE_FILE
from machinectl.files.fileset import check_absent, read_regular_file, replace_together

if TYPE_CHECKING:
    from collections.abc import Mapping

# SHA256 of the written files by path, and the holder of the keys.
NOTES, HOLDER = ".machinectl.json", "holder"
HINT = Hint("Choose another directory with --out, or replace them: --force")


def check_unchanged(directory: str, files: Mapping[str, bytes]) -> None:
    """Raise MachineError if a file is there that is neither equal nor as an earlier run left it."""
    noted = read_notes(directory)
    found = (path for path in files if os.path.lexists(os.path.join(directory, path)))
    different = [path for path in found if digest(directory, path) not in {noted.get(path), sha256(files[path])}]
    if edited := [path for path in different if path in noted]:
        raise MachineError(f"In {directory}, somebody changed {', '.join(edited)} after the last run", HINT)
    check_absent(directory, different, HINT)


def check_holder(directory: str, who: str) -> None:
    """Raise MachineError for a directory with another holder's files: that holder's keys would be lost."""
    holder = read_notes(directory).get(HOLDER, who)
    if holder.lower() != who.lower():
        raise MachineError(f"{directory} holds the files of {one_line(holder)}, not of {who}", HINT)


def write_issued(directory: str, who: str, files: Mapping[str, bytes]) -> None:
    """Write all files or none, for the owner alone. Git ignores the folders with keys."""
    folders = {os.path.dirname(path) for path in files} - {""}
    written = {**files, **{f"{folder}/.gitignore": b"*\n" for folder in folders}}
    notes = read_notes(directory) | {path: sha256(data) for path, data in written.items()} | {HOLDER: who}
    written[NOTES] = json.dumps(notes, indent=4).encode()
    replace_together(directory, written, force=True, hint=NO_HINT, mode=PRIVATE_FILE)


def read_notes(directory: str) -> dict[str, str]:
    try:
        notes = json.loads(read_regular_file(os.path.join(directory, NOTES)))
    except (MachineError, ValueError, RecursionError):
        return {}
    return {path: found for path, found in notes.items() if isinstance(found, str)} if isinstance(notes, dict) else {}


def digest(directory: str, path: str) -> str:
    try:
        return sha256(read_regular_file(os.path.join(directory, path)))
    except MachineError:
        return ""


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
