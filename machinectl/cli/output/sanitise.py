"""The one place that makes text harmless before it reaches a terminal: hosts, servers and files say what they like."""

from __future__ import annotations

LAYOUT = "\n\t"
# How much of a text is checked at once, in characters.
PART = 1 << 12


def harmless(text: str) -> str:
    """The text with what is not printable (ECMA-48 controls, Unicode's bidirectional ones) as Python's escape for it.

    What cannot be encoded, as a file's name that is not UTF-8, is spelt out too.
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter in LAYOUT else spelt(letter) for letter in text)


def harmless_json(text: str) -> str:
    """The same for JSON, where nothing is lost: its own escapes (RFC 8259 7)."""
    # A host's output may be megabytes, mostly printable.
    parts = (text[at : at + PART] for at in range(0, len(text), PART))
    return "".join(part if part.isprintable() else part.translate(IN_JSON) for part in parts)


def spelt(letter: str) -> str:
    return letter.encode("unicode_escape").decode()


class InJSON(dict[int, int | str]):
    """Maps a code point to its form in JSON, for str.translate."""

    def __missing__(self, code: int) -> int | str:
        letter = chr(code)
        self[code] = code if letter.isprintable() or letter == "\n" else in_json(letter)
        return self[code]


def in_json(letter: str) -> str:
    units = letter.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[index]:02x}{units[index + 1]:02x}" for index in range(0, len(units), 2))


IN_JSON = InJSON()
