"""Colours, and whether a terminal can show them."""

from __future__ import annotations

import os


def is_drawn_on(stream: object) -> bool:
    """Return whether a stream is a terminal that moves its cursor."""
    return getattr(stream, "isatty", lambda: False)() is True and os.environ.get("TERM") != "dumb"


def coloured(text: str, colour: str, stream: object) -> str:
    """Colour text (ECMA-48) on a terminal unless NO_COLOR is set (no-color.org)."""
    if not text or not is_drawn_on(stream) or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{colour}m{text}\x1b[0m"
