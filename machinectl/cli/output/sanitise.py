"""Sanitise text from hosts, servers and files for a terminal."""

from __future__ import annotations

LAYOUT = "\n\t"
# Python keeps bytes that are not UTF-8 as lone surrogates, which UTF-8 does not have.
SURROGATES = range(0xD800, 0xE000)
REPLACEMENT = "\ufffd"
# Characters to check at once.
PART = 1 << 12


def harmless(text: str) -> str:
    """Escape ECMA-48 controls, bidirectional controls and undecodable bytes."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or letter in LAYOUT else letter.encode("unicode_escape").decode()
        for letter in text
    )


def harmless_json(text: str) -> str:
    """Escape as JSON does, which loses nothing (RFC 8259 7), and replace what is not UTF-8."""
    # In parts: a host's output can be megabytes, mostly printable.
    parts = (text[at : at + PART] for at in range(0, len(text), PART))
    return "".join(part if part.isprintable() else part.translate(IN_JSON) for part in parts)


class InJSON(dict[int, int | str]):
    """Map code points to JSON escapes, for str.translate."""

    def __missing__(self, code: int) -> int | str:
        letter = chr(code)
        self[code] = code if letter.isprintable() or letter == "\n" else in_json(letter)
        return self[code]


def in_json(letter: str) -> str:
    if ord(letter) in SURROGATES:
        return REPLACEMENT
    units = letter.encode("utf-16-be")
    return "".join(f"\\u{units[index]:02x}{units[index + 1]:02x}" for index in range(0, len(units), 2))


IN_JSON = InJSON()
