"""Read the entry points of installed packages without importlib.metadata, which takes 10 ms.

The format: packaging.python.org/specifications/entry-points. Packages that are not installed as directories (an
archive, an import hook) are left to importlib.metadata.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Directories with an installed package's metadata.
KEPT_IN = (".dist-info", ".egg-info")


def origin(group: str, name: str) -> str:
    """Return `module:attribute` of the first package with that name in the group, "" if there is none."""
    return next((found for path in lists() for known, found in entries(path, group) if known == name), "")


def lists() -> Iterator[str]:
    """Yield the entry point files of the packages on the import path."""
    for directory in sys.path:
        try:
            kept = [name for name in os.listdir(directory or os.curdir) if name.endswith(KEPT_IN)]
        except OSError:
            continue
        for name in kept:
            yield os.path.join(directory, name, "entry_points.txt")


def entries(path: str, group: str) -> Iterator[tuple[str, str]]:
    """Yield a group's names with their objects; nothing for a missing or broken file."""
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
