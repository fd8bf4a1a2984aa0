"""Format lines for the terminal."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from machinectl.cli.output.colours import coloured
from machinectl.cli.output.exit_status import as_called
from machinectl.cli.output.sanitise import harmless

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def user_text(text: str, program: str) -> str:
    """Sanitise text for the user; write its commands as this program was called."""
    return harmless(as_called(text, program))


def warning(text: str) -> str:
    return f"{coloured('Warning:', '33', sys.stderr)} {text}"


@contextmanager
def timed(title: str, tell: Callable[[str], None]) -> Iterator[None]:
    started = time.monotonic()
    outcome = "failed after "
    try:
        yield
        outcome = ""
    except KeyboardInterrupt:
        outcome = "interrupted after "
        raise
    finally:
        tell(f"{title} ({outcome}{time.monotonic() - started:.1f} s)")


def cut(text: str, width: int) -> str:
    """Cut a line to `width` columns; characters may take two."""
    # Imported late, only to draw: rich is heavy.
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= width else set_cell_size(text, max(width, 0)).rstrip()
