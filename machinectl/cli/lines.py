"""How a line on stderr looks: a warning, and a piece of work that has ended."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from machinectl.cli.exits import as_called
from machinectl.cli.harmless import harmless

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def shown(text: str, program: str) -> str:
    """A text as it is told to the person: its commands as this program was called, and nothing that moves a cursor."""
    return harmless(as_called(text, program))


def warning(text: str) -> str:
    return f"{coloured('Warning:', '33', sys.stderr)} {text}"


@contextmanager
def timed(title: str, tell: Callable[[str], None]) -> Iterator[None]:
    """Tell of a piece of work when it has ended: how long it took, and whether it failed."""
    started = time.monotonic()
    outcome = "failed after "
    try:
        yield
        outcome = ""
    finally:
        tell(f"{title} ({outcome}{time.monotonic() - started:.1f} s)")


def coloured(text: str, colour: str, stream: object) -> str:
    """The text in an ECMA-48 colour where the stream is a terminal and NO_COLOR (no-color.org) is not set."""
    is_terminal = getattr(stream, "isatty", lambda: False)()
    if not text or not is_terminal or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{colour}m{text}\x1b[0m"
