"""Read entry points without importlib.metadata, which takes 10 ms.

Format: packaging.python.org/specifications/entry-points. Reads only packages installed as directories.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

KEPT_IN = (".dist-info", ".egg-info")


def origin(group: str, name: str) -> str:
    """Return the first entry point of that name in the group as `module:attribute`, "" if none."""
    return next((found for path in lists() for known, found in entries(path, group) if known == name), "")


def lists() -> Iterator[str]:
    """Yield the paths of entry_points.txt files on the import path."""
    for directory in sys.path:
        try:
            kept = [name for name in os.listdir(directory or os.curdir) if name.endswith(KEPT_IN)]
        except OSError:
            continue
        for name in kept:
            yield os.path.join(directory, name, "entry_points.txt")


def entries(path: str, group: str) -> Iterator[tuple[str, str]]:
    """Yield names and objects of a group; none for a missing or broken file."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, ValueError):
        return
    _, _, after = f"\n{text}".partition(f"\n[{group}]\n")
    section, _, _ = after.partition("\n[")
    for line in section.splitlines():
        name, equals, target = line.partition("=")
        if equals and not name.startswith(("#", ";")):
            yield name.strip(), target.strip()
