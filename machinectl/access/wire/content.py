"""Read and write the JSON in requests and answers. Each field of the other side is checked."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from machinectl import certs
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.machines.addresses import parse_addresses
from machinectl.machines.holders import is_sender
from machinectl.machines.record import LONGEST_NAME, is_name

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = 1
LONGEST_WORD = 100
# A fingerprint must stay the same, so that there is one way to write a content.
COMPACT = (",", ":")


class WireFields:
    """The fields of a request, an answer or one of their machines. Every method raises MachineError."""

    def __init__(self, what: str, values: dict[str, Any]) -> None:
        self.what = what
        self._values = values

    def text(self, key: str, *, check: Callable[[str], bool] = bool, longest: int = LONGEST_WORD) -> str:
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

    def pem(self, key: str) -> bytes:
        value = self._values.get(key)
        if not isinstance(value, str) or not value.isascii() or not value:
            raise self.forged(key)
        return value.encode()

    def certificates(self, key: str) -> bytes:
        """Return PEM certificates, with nothing else before, between or after them."""
        found = self.pem(key)
        try:
            if certs.only_certificates(found) == found:
                return found
        except MachineError:
            pass
        raise self.forged(key)

    def time(self, key: str) -> datetime:
        try:
            found = datetime.fromisoformat(self.text(key))
            if found.tzinfo is not None:
                return found.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        raise self.forged(key)

    def labels(self, key: str) -> dict[str, str]:
        """Return labels as `--label` takes them: printable texts, no empty key; without the field, none."""
        value = self._values.get(key, {})
        if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
            raise self.forged(key)
        keys_are_valid = all(word.strip() and "=" not in word and word.isprintable() for word in value)
        if not keys_are_valid or not all(map(str.isprintable, value.values())):
            raise self.forged(key)
        return value

    def lines(self, key: str) -> tuple[str, ...]:
        """Return a list of printable texts; without it, an empty one."""
        value = self._values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, str) and each.isprintable() for each in value):
            raise self.forged(key)
        return tuple(value)

    def addresses(self, key: str) -> tuple[str, ...]:
        """Return a machine's addresses as `--address` keeps them; without the field, none."""
        given = self.lines(key)
        try:
            if parse_addresses(given) == given:
                return given
        except UsageError:
            pass
        raise self.forged(key)

    def machines(self, most: int) -> list[WireFields]:
        """Return the parts about one machine each, which have different names."""
        listed = self._values.get("machines")
        if not isinstance(listed, list) or not 0 < len(listed) <= most:
            raise self.forged("machines")
        if not all(isinstance(each, dict) for each in listed):
            raise self.forged("machines")
        found = [WireFields(self.what, each) for each in listed]
        if len({each.name("name") for each in found}) < len(found):
            raise self.forged("machines")
        return found

    def forged(self, key: str) -> MachineError:
        """Its checksum is right: somebody or something else than machinectl wrote it."""
        return MachineError(
            f'The {self.what} is not one that machinectl writes: its "{key}" is invalid',
            Hint(f"Do not use it; ask its sender for a new {self.what}, and compare the fingerprints"),
        )


def written_content(values: dict[str, Any]) -> bytes:
    return json.dumps({"version": VERSION, **values}, sort_keys=True, separators=COMPACT).encode()


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
            Hint("Upgrade machinectl", "pip install --upgrade machinectl"),
        )
    return fields
