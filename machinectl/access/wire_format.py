"""Write requests and answers as text for a chat or a file, and read them back: JSON, compressed, in a PEM block.

PEM blocks are RFC 7468. Compressed, as chats cut messages (Discord's have 2,000 characters, Telegram's 4,096). zlib's
checksum notices damage, and proves nothing about the sender: people compare fingerprints.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import textwrap
import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from machinectl import certs
from machinectl.errors import UPGRADE, Hint, MachineError, UsageError
from machinectl.machines.addresses import parse_addresses
from machinectl.machines.holders import is_sender
from machinectl.machines.record import LONGEST_NAME, is_name

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = 1
REQUEST, ANSWER = "REQUEST", "ANSWER"
# Of the whole text. A request for one machine has 1 KB, an answer 2 KB.
LONGEST_TEXT = 64 << 10
LONGEST_CONTENT = 4 * LONGEST_TEXT
# An answer for so many machines fits.
MOST_MACHINES = 12
LONGEST_WORD = 100
LINE = 64
BEGIN, END = "-----BEGIN MACHINECTL ACCESS ", "-----END MACHINECTL ACCESS "
BLOCK = re.compile(rf"{BEGIN}(REQUEST|ANSWER)-----\n([^-]*){END}\1-----")
# Mail programs and chats put these around a line: indentation, quotes, code.
AROUND = " \t\r>|`"
# Of the ID of a request.
ID_DIGITS = 16


def written_content(values: dict[str, Any]) -> bytes:
    """Write a content in the one way in which it has its fingerprint."""
    return json.dumps({"version": VERSION, **values}, sort_keys=True, separators=(",", ":")).encode()


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
    blocks = BLOCK.findall(text)
    contents = {unpacked(what, block) for other, block in blocks if other == kind}
    if len(contents) > 1:
        raise MachineError(f"That text holds {len(contents)} different {what}s", Hint(f"Give one {what} at a time"))
    if contents:
        return contents.pop()
    if blocks:
        verb = "accept" if kind == REQUEST else "grant"
        other = blocks[0][0].lower()
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


def read_content(what: str, content: bytes) -> WireFields:
    try:
        values = json.loads(content)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise WireFields(what, {}).forged("content")
    fields = WireFields(what, values)
    version = values.get("version")
    if type(version) is not int or version < 1:
        raise fields.forged("version")
    if version > VERSION:
        raise MachineError(
            f"The {what} was written by a newer machinectl (version {version}; this one reads {VERSION})",
            UPGRADE,
        )
    return fields


class WireFields:
    """The fields of a request, an answer or one of their machines. Every method raises MachineError."""

    def __init__(self, what: str, values: dict[str, Any]) -> None:
        self.what = what
        self._values = values

    def text(self, key: str, *, check: Callable[[str], object] = bool, longest: int = LONGEST_WORD) -> str:
        """Return a text without control characters that passes the check."""
        value = self._values.get(key)
        if not isinstance(value, str) or len(value) > longest or not value.isprintable() or not check(value):
            raise self.forged(key)
        return value

    def sender(self, key: str) -> str:
        """Return USER@COMPUTER, without blanks and fingerprints: a sentence there could vouch for itself."""
        return self.text(key, check=is_sender)

    def name(self, key: str) -> str:
        return self.text(key, check=is_name, longest=LONGEST_NAME)

    def optional_name(self, key: str) -> str:
        return self.name(key) if key in self._values else ""

    def hexadecimal(self, key: str, digits: int) -> str:
        return self.text(key, check=re.compile(f"[0-9a-f]{{{digits}}}").fullmatch)

    def pem(self, key: str) -> bytes:
        value = self._values.get(key)
        if not isinstance(value, str) or not value.isascii() or not value:
            raise self.forged(key)
        return value.encode()

    def certificates(self, key: str) -> bytes:
        """Return PEM certificates, with nothing else before, between or after them."""
        pem = self.pem(key)
        try:
            if certs.only_certificates(pem) == pem:
                return pem
        except MachineError:
            pass
        raise self.forged(key)

    def time(self, key: str) -> datetime:
        try:
            moment = datetime.fromisoformat(self.text(key))
            if moment.tzinfo is not None:
                return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        raise self.forged(key)

    def labels(self, key: str) -> dict[str, str]:
        """Return labels as `--label` takes them: printable texts, no empty key; without the field, none."""
        labels = self._values.get(key, {})
        if not isinstance(labels, dict) or not all(
            isinstance(value, str) and word.strip() and "=" not in word and (word + value).isprintable()
            for word, value in labels.items()
        ):
            raise self.forged(key)
        return labels

    def lines(self, key: str) -> tuple[str, ...]:
        """Return a list of printable texts; without it, an empty one."""
        lines = self._values.get(key, [])
        if not isinstance(lines, list) or not all(isinstance(line, str) and line.isprintable() for line in lines):
            raise self.forged(key)
        return tuple(lines)

    def addresses(self, key: str) -> tuple[str, ...]:
        """Return a machine's addresses as `--address` keeps them; without the field, none."""
        addresses = self.lines(key)
        try:
            if parse_addresses(addresses) == addresses:
                return addresses
        except UsageError:
            pass
        raise self.forged(key)

    def machines(self) -> list[WireFields]:
        """Return the parts about one machine each, which have different names."""
        listed = self._values.get("machines")
        if not isinstance(listed, list) or not 0 < len(listed) <= MOST_MACHINES:
            raise self.forged("machines")
        if not all(isinstance(values, dict) for values in listed):
            raise self.forged("machines")
        machines = [WireFields(self.what, values) for values in listed]
        if len({machine.name("name") for machine in machines}) < len(machines):
            raise self.forged("machines")
        return machines

    def forged(self, key: str) -> MachineError:
        """Its checksum is right: somebody or something else than machinectl wrote it."""
        return MachineError(
            f'The {self.what} is not one that machinectl writes: its "{key}" is invalid',
            Hint(f"Do not use it; ask its sender for a new {self.what}, and compare the fingerprints"),
        )
