"""Colour text if the terminal can show it, and cut lines to its width."""

from __future__ import annotations

import os


def is_drawn_on(stream: object) -> bool:
    """Return whether a stream is a terminal with cursor control."""
    return getattr(stream, "isatty", lambda: False)() is True and os.environ.get("TERM") != "dumb"


def coloured(text: str, colour: str, stream: object) -> str:
    """Colour text on a terminal (ECMA-48), unless NO_COLOR is set (no-color.org)."""
    if not text or not is_drawn_on(stream) or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{colour}m{text}\x1b[0m"


def cut(text: str, width: int) -> str:
    """Cut a line to `width` columns; characters may take two."""
    # Imported late, only to draw: rich is heavy.
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= width else set_cell_size(text, max(width, 0)).rstrip()
