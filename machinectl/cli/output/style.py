"""How text looks on a terminal: colours, signs, widths, and no foreign control characters. Light to import."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


# ECMA-48's SGR.
BOLD, DIM, RED, GREEN, YELLOW = "1", "2", "31", "32", "33"
OK, FAILED, ATTENTION, UNKNOWN, MORE = "✓", "✗", "!", "?", "…"
COLOURS = {OK: GREEN, FAILED: RED, ATTENTION: YELLOW, UNKNOWN: YELLOW}
IN_ASCII = {OK: "v", FAILED: "x", MORE: "..."}
# The signs of work, one after the other.
SPINNER = "|/-\\"
# The width if nothing says which. Columns.
USUAL_WIDTH = 80


def is_drawn_on(stream: object) -> bool:
    """Return whether a stream is a terminal with cursor control."""
    return is_terminal(stream) and os.environ.get("TERM") != "dumb"


def is_terminal(stream: object) -> bool:
    return getattr(stream, "isatty", lambda: False)() is True


def coloured(text: str, colour: str, stream: object) -> str:
    """Colour text on a terminal (ECMA-48), unless NO_COLOR is set (no-color.org)."""
    if not (text and colour) or not is_drawn_on(stream) or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{colour}m{text}\x1b[0m"


def mark(sign: str, stream: object) -> str:
    """Return a sign in its colour, or in ASCII where the stream shows no other characters."""
    return coloured(printed_sign(sign, stream), COLOURS.get(sign, ""), stream)


def printed_sign(sign: str, stream: object) -> str:
    return sign if shows_unicode(stream) else IN_ASCII.get(sign, sign)


def shows_unicode(stream: object) -> bool:
    # LC_CTYPE last: where LANG is C, Python sets it to C.UTF-8 (PEP 538).
    locale = next(filter(None, map(os.environ.get, ("LC_ALL", "LANG", "LC_CTYPE"))), "")
    if locale in {"C", "POSIX"} or (is_terminal(stream) and not is_drawn_on(stream)):
        return False
    try:
        "".join(IN_ASCII).encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def columns(stream: object) -> int:
    """Return the width of the terminal; COLUMNS can narrow it, and is the width of what is no terminal."""
    wanted = os.environ.get("COLUMNS", "")
    narrowed = int(wanted) if wanted.isascii() and wanted.isdigit() else 0
    try:
        # 0 if the terminal does not know it.
        real = os.get_terminal_size(stream.fileno()).columns if is_terminal(stream) else 0  # type: ignore[attr-defined]
    except OSError:
        real = 0
    return min(filter(None, (narrowed, real)), default=USUAL_WIDTH)


def shorten(text: str, width: int, stream: object) -> str:
    """Cut a line to `width` columns, with an ellipsis at its end; characters may take two."""
    if text_width(text) <= width:
        return text
    end = printed_sign(MORE, stream)[: max(width, 0)]
    left = width - len(end)
    kept = []
    for letter in text:
        left -= letter_width(letter)
        if left < 0:
            break
        kept.append(letter)
    return "".join(kept).rstrip() + end


def text_width(text: str) -> int:
    """Return docker's width of a text: wide characters 2, combining ones 0."""
    return len(text) if text.isascii() else sum(map(letter_width, text))


def letter_width(letter: str) -> int:
    import unicodedata

    if unicodedata.category(letter) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def wrapped(text: str, stream: object, *, indent: int = 0) -> str:
    """Break prose at words for a terminal."""
    if not is_drawn_on(stream):
        return text
    room = max(columns(stream) - indent, 1)
    lines: list[str] = []
    for line in text.split("\n"):
        before = line[: len(line) - len(line.lstrip())]
        flows = len(line) > room
        lines += [before + " ".join(part) for part in flowed(line.split(), room - len(before))] if flows else [line]
    return "\n".join(lines)


def flowed(pieces: Sequence[str], room: int) -> list[list[str]]:
    """Return the pieces of each line. A piece stays whole."""
    lines: list[list[str]] = [[]]
    for piece in pieces:
        if lines[-1] and sum(map(len, lines[-1])) + len(lines[-1]) + len(piece) > room:
            lines.append([])
        lines[-1].append(piece)
    return lines


LAYOUT = "\n\t"


def harmless(text: str) -> str:
    """Escape ECMA-48 controls, bidirectional controls and undecodable bytes."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or letter in LAYOUT else letter.encode("unicode_escape").decode()
        for letter in text
    )
