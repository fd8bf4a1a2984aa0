"""Write a request or an answer as a PEM block (RFC 7468), and read it back.

Its content is compressed, as chats cut messages (Discord's have 2,000 characters, Telegram's 4,096). zlib's checksum
notices damage, and proves nothing about the sender: people compare fingerprints.
"""

from __future__ import annotations

import base64
import binascii
import re
import textwrap
import zlib

from machinectl.errors import Hint, MachineError

REQUEST, ANSWER = "REQUEST", "ANSWER"
# Of the whole text. A request for one machine has 1 KB, an answer 2 KB.
LONGEST_TEXT = 64 << 10
LONGEST_CONTENT = 4 * LONGEST_TEXT
LINE = 64
BEGIN, END = "-----BEGIN MACHINECTL ACCESS ", "-----END MACHINECTL ACCESS "
BLOCK = re.compile(rf"{BEGIN}(REQUEST|ANSWER)-----\n([^-]*){END}\1-----")
# Mail programs and chats put these around a line: indentation, quotes, code.
AROUND = " \t\r>|`"


def pem_text(kind: str, headline: str, content: bytes) -> str:
    """Return text with a first line for people. Raises MachineError if it is too long for a reader."""
    lines = textwrap.wrap(base64.b64encode(zlib.compress(content, 9)).decode(), LINE)
    text = "\n".join([headline, f"{BEGIN}{kind}-----", *lines, f"{END}{kind}-----", ""])
    if len(text) > LONGEST_TEXT:
        raise MachineError(
            f"The {kind.lower()} has {len(text) >> 10} KB, and can have {LONGEST_TEXT >> 10} KB",
            Hint("Use several requests, with fewer machines each"),
        )
    return text


def pem_content(kind: str, data: bytes) -> bytes:
    """Return the content of the one request or answer in a text. Raises MachineError."""
    what = kind.lower()
    if len(data) > LONGEST_TEXT:
        raise MachineError(
            f"That text is too long for a {what}: it has more than {LONGEST_TEXT >> 10} KB",
            Hint(f"Give only the {what}, from its BEGIN line to its END line"),
        )
    text = "\n".join(line.strip(AROUND) for line in data.decode(errors="replace").splitlines())
    found = BLOCK.findall(text)
    contents = {unpacked(what, block) for other, block in found if other == kind}
    if len(contents) > 1:
        raise MachineError(f"That text holds {len(contents)} different {what}s", Hint(f"Give one {what} at a time"))
    if contents:
        return contents.pop()
    if found:
        verb = "accept" if kind == REQUEST else "grant"
        other = found[0][0].lower()
        raise MachineError(f"That is the {other}, not the {what}", Hint("Give it to", f"machinectl access {verb}"))
    if BEGIN + kind in text or END + kind in text:
        raise damaged(what)
    raise MachineError(
        f"That text holds no {what}: it has no line {BEGIN}{kind}-----",
        Hint(
            "Whoever sends it prints it",
            "machinectl access request <NAME>" if kind == REQUEST else "machinectl access grant",
            elsewhere=True,
        ),
    )


def is_complete(data: bytes) -> bool:
    """Return whether what was pasted so far has its END line, or is too long."""
    return len(data) > LONGEST_TEXT or END.encode() in data[-2 * LINE :]


def unpacked(what: str, block: str) -> bytes:
    packing = zlib.decompressobj()
    try:
        # A small text may unpack to gigabytes.
        content = packing.decompress(base64.b64decode("".join(block.split()), validate=True), LONGEST_CONTENT)
    except (binascii.Error, ValueError, zlib.error) as exc:
        raise damaged(what) from exc
    if not packing.eof:
        raise damaged(what)
    return content


def damaged(what: str) -> MachineError:
    return MachineError(
        f"The {what} was cut short or damaged on its way: characters are missing or changed",
        Hint("Copy it again, from its BEGIN line to its END line; or send it as a file"),
    )
