"""Entry points as installers write them, read without importlib.metadata, which costs a command line 10 ms.

The format: packaging.python.org/specifications/entry-points. Packages that are not installed in directories (in an
archive, by an import hook) are for importlib.metadata alone.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Where an installer keeps what it knows of a package.
KEPT_IN = (".dist-info", ".egg-info")


def origin(group: str, name: str) -> str:
    """What the first package that has a name in a group says for it, `module:attribute`; "" where none has."""
    return next((found for path in lists() for known, found in entries(path, group) if known == name), "")


def lists() -> Iterator[str]:
    """The files with the entry points of the packages on the import path."""
    for directory in sys.path:
        try:
            kept = [name for name in os.listdir(directory or os.curdir) if name.endswith(KEPT_IN)]
        except OSError:
            continue
        for name in kept:
            yield os.path.join(directory, name, "entry_points.txt")


def entries(path: str, group: str) -> Iterator[tuple[str, str]]:
    """The names of a group in a file, each with its object; what is no such file has none."""
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
