"""What a terminal can show beyond plain lines, and whether it is wanted there."""

from __future__ import annotations

import os


def is_drawn_on(stream: object) -> bool:
    """Whether a stream is a terminal that understands more than lines."""
    return getattr(stream, "isatty", lambda: False)() is True and os.environ.get("TERM") != "dumb"


def coloured(text: str, colour: str, stream: object) -> str:
    """The text in an ECMA-48 colour where the stream is a terminal and NO_COLOR (no-color.org) is not set."""
    if not text or not is_drawn_on(stream) or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{colour}m{text}\x1b[0m"
