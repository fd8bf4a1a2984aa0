"""Write content as text that survives a chat, and read it back.

The text is base64 between two marks, as in PEM and OpenPGP (RFC 7468, RFC 9580 6.2). In it are the content, compressed
with zlib because chats cut messages (Discord's have 2,000 characters, Telegram's 4,096), and the first bytes of its
SHA256, which tell damage on the way. They prove nothing about the sender: people compare fingerprints.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import textwrap
import zlib
from dataclasses import dataclass
from itertools import pairwise

from machinectl.errors import MachineError

REQUEST, ANSWER = "REQUEST", "ANSWER"
# Of the whole text. A request for one machine has 1 KB, an answer 2 KB.
LONGEST_TEXT = 64 << 10
LONGEST_CONTENT = 4 * LONGEST_TEXT
LINE = 64
# Bytes of a mark, with all that chats insert.
LONGEST_MARK = 1 << 10
CHECKSUM = 8
# Chats set long dashes for several short ones.
DASHES = r"\-\u00ad\u2010-\u2015\u2212\u2500\u2501\ufe58\ufe63\uff0d"
# Chats and mail programs insert these into a text: blanks, quotes, code fences, characters of no width.
BETWEEN = r"\s>|`*_\u2502\u00a0\u200b-\u200f\u2028-\u202e\u2060\ufeff"
# A chat wraps lines anywhere.
BEGIN, END, NAME, REQUEST_MARK, ANSWER_MARK = (
    f"[{BETWEEN}]*".join(word) for word in ("BEGIN", "END", "MACHINECTLACCESS", REQUEST, ANSWER)
)
MARK = re.compile(f"({BEGIN}|{END})[{BETWEEN}]*{NAME}[{BETWEEN}]*({REQUEST_MARK}|{ANSWER_MARK})")
REMOVED = re.compile(rf"[{BETWEEN}{DASHES}=]")
# HTML's >, which may be wrapped, too.
ESCAPED_QUOTE = re.compile(f"[{BETWEEN}]*".join("&gt;"))
FORGIVING = "Copy it again, from its BEGIN line to its END line; or send it as a file"


@dataclass(frozen=True)
class Found:
    """A text's mark: whether it begins or ends something, and what."""

    begins: bool
    kind: str
    start: int
    end: int


def armored(kind: str, headline: str, content: bytes) -> str:
    """Return text with a first line for people. Raises MachineError if it is too long for a reader."""
    packed = zlib.compress(content, 9) + checksum(content)
    lines = textwrap.wrap(base64.b64encode(packed).decode().rstrip("="), LINE)
    marks = [f"-----{word} MACHINECTL ACCESS {kind}-----" for word in ("BEGIN", "END")]
    text = "\n".join([headline, marks[0], *lines, marks[1], ""])
    if len(text) > LONGEST_TEXT:
        raise MachineError(
            f"The {kind.lower()} has {len(text) >> 10} KB, and can have {LONGEST_TEXT >> 10} KB",
            "Use several requests, with fewer machines each",
        )
    return text


def unarmored(kind: str, data: bytes) -> bytes:
    """Return the content of the one request or answer in a text. Raises MachineError."""
    what = kind.lower()
    if len(data) > LONGEST_TEXT:
        raise MachineError(
            f"That text is too long for a {what}: it has more than {LONGEST_TEXT >> 10} KB",
            f"Give only the {what}, from its BEGIN line to its END line",
        )
    text = decoded_text(data)
    blocks = {block for found, block in blocks_of(text) if found == kind}
    if not blocks:
        raise nothing_found(kind, text)
    contents = {checked_content(what, block) for block in blocks}
    if len(contents) > 1:
        raise MachineError(f"That text holds {len(contents)} different {what}s", f"Give one {what} at a time")
    return contents.pop()


def has_end(data: bytes) -> bool:
    """Return whether what was pasted so far is complete: a request, an answer, or too much."""
    # Asked after each line: to look at all of it each time would take minutes for 64 KB of short lines.
    return len(data) > LONGEST_TEXT or any(not mark.begins for mark in marks_of(decoded_text(data[-LONGEST_MARK:])))


def decoded_text(data: bytes) -> str:
    """Windows' programs write UTF-16 with a byte order mark; some quote in HTML."""
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    return ESCAPED_QUOTE.sub(">", data.decode(encoding, errors="replace"))


def marks_of(text: str) -> list[Found]:
    return [
        Found(mark[1].startswith("B"), REQUEST if mark[2].startswith("R") else ANSWER, mark.start(), mark.end())
        for mark in MARK.finditer(text)
    ]


def blocks_of(text: str) -> list[tuple[str, str]]:
    """Return what stands between two marks of the same kind."""
    marks = marks_of(text)
    return [
        (first.kind, text[first.end : last.start])
        for first, last in pairwise(marks)
        if first.begins and not last.begins and first.kind == last.kind
    ]


def nothing_found(kind: str, text: str) -> MachineError:
    what = kind.lower()
    kinds = {(mark.begins, mark.kind) for mark in marks_of(text)}
    if (True, kind) in kinds:
        return MachineError(f"The {what} is cut short: its END line is missing", FORGIVING)
    if (False, kind) in kinds:
        return MachineError(f"The {what} is cut short: its BEGIN line is missing", FORGIVING)
    if kinds:
        is_request = kind == ANSWER
        cause = "That is not an answer, but a request" if is_request else "That is not a request, but an answer"
        return MachineError(cause, f"Give it to: machinectl access {'grant' if is_request else 'accept'}")
    made_by = "access request NAME" if kind == REQUEST else "access grant"
    return MachineError(
        f"That text holds no {what}", f"It begins with BEGIN MACHINECTL ACCESS {kind}; `machinectl {made_by}` prints it"
    )


def checked_content(what: str, block: str) -> bytes:
    words = REMOVED.sub("", block)
    try:
        packed = base64.b64decode(words + "=" * (-len(words) % 4), validate=True)
        # A small text may unpack to gigabytes.
        content = zlib.decompressobj().decompress(packed[:-CHECKSUM], LONGEST_CONTENT)
    except (binascii.Error, ValueError, zlib.error) as exc:
        raise damaged(what) from exc
    if packed[-CHECKSUM:] != checksum(content):
        raise damaged(what)
    return content


def damaged(what: str) -> MachineError:
    return MachineError(f"The {what} was damaged on its way: characters are missing or changed", FORGIVING)


def checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()[:CHECKSUM]
