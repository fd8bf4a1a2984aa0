"""Which files this process opens, by Python's audit events (PEP 578)."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# The directories that are watched, each with what was opened there.
watched: list[tuple[str, list[str]]] = []


@contextmanager
def opened(directory: str) -> Iterator[list[str]]:
    """Yield a list of the files that are opened in a directory meanwhile, relative to it, in their order."""
    hook()
    found: list[str] = []
    watched.append((os.path.join(directory, ""), found))
    try:
        yield found
    finally:
        watched.remove((os.path.join(directory, ""), found))


@cache
def hook() -> None:
    """Listen, from now on to the end of the process: a hook cannot be removed."""
    sys.addaudithook(listen)


def listen(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and watched:
        path = arguments[0]
        for directory, found in watched:
            if isinstance(path, str) and path.startswith(directory):
                found.append(path.removeprefix(directory))
