"""Expand patterns of host names: web[01:03], db-[a:c], [1:9:2].

See https://docs.ansible.com/ansible/latest/inventory_guide/intro_inventory.html#adding-ranges-of-hosts
"""

from __future__ import annotations

import itertools
import re
import string
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# More hosts in one pattern are probably a typing error.
MOST = 10_000
# In a value, [fd00::1] is an address.
VALUE_RANGE = re.compile(r"\[([0-9]+|[A-Za-z]):([0-9]+|[A-Za-z])(?::([0-9]+))?\]")
RANGE = re.compile(r"\[([^\[\]:]*):([^\[\]:]*)(?::([^\[\]:]*))?\]")


class InvalidRange(Exception):
    """The reason, as a clause."""


def expand_names(pattern: str) -> list[str]:
    """Raise InvalidRange."""
    found = expand_ranges(pattern)
    if any(mark in found[0] for mark in "[]"):
        raise InvalidRange("a bracket holds no range such as [1:9]")
    return found


def expand_ranges(text: str, pattern: re.Pattern[str] = RANGE) -> list[str]:
    """Count the last range fastest. Raises InvalidRange."""
    parts: list[Sequence[str]] = []
    end, number = 0, 1
    for found in pattern.finditer(text):
        numbers = span(found[1], found[2], found[3])
        number *= len(numbers)
        if number > MOST:
            raise InvalidRange(f"it is more than {MOST} hosts")
        parts += [[text[end : found.start()]], [*numbers]]
        end = found.end()
    return ["".join(words) for words in itertools.product(*parts, [text[end:]])]


def span(begin: str, end: str, step: str | None) -> Sequence[str]:
    """Include both ends; keep leading zeros. Raises InvalidRange."""
    begin = begin or "0"
    every = whole(step if step is not None else "1")
    if not end:
        raise InvalidRange("a range has an end: [1:9]")
    if every < 1:
        raise InvalidRange("a range counts by 1 or more")
    letters = string.ascii_letters
    if len(begin) == len(end) == 1 and begin in letters and end in letters:
        found: Sequence[str] = letters[letters.index(begin) : letters.index(end) + 1 : every]
    else:
        numbers = range(whole(begin), whole(end) + 1, every)
        if len(numbers) > MOST:
            raise InvalidRange(f"a range is more than {MOST} hosts")
        padded = begin[0] == "0" and len(begin) > 1
        if padded and len(begin) != len(end):
            raise InvalidRange("both ends of a range with leading zeros need the same number of digits")
        found = [str(number).zfill(len(begin) if padded else 0) for number in numbers]
    if not found:
        raise InvalidRange("a range begins after its end")
    return found


def whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):  # noqa: PLR2004 - more than anybody counts
        raise InvalidRange("an end of a range is neither a number nor a letter")
    return int(text)
