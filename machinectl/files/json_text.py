"""Change one value in JSON text (RFC 8259).

A round trip through Python would change indents, numbers, duplicate keys and escapes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

DECODER = json.JSONDecoder()
BLANKS = " \t\r\n"
TAB = "\t"


class Member(NamedTuple):
    key: str
    start: int
    value: int
    end: int


def set_value(text: str, path: Sequence[str], value: Any) -> str:
    """Create missing objects. Raises ValueError if the text or a parent is not an object."""
    opening, found, closing = object_at(text, 0)
    for depth, key in enumerate(path):
        own = find_member(found, key)
        if own is None:
            for outer in reversed(path[depth + 1 :]):
                value = {outer: value}
            return add_member(text, opening, found, closing, json.dumps(key), value)
        if depth == len(path) - 1:
            return text[: own.value] + json.dumps(value) + text[own.end :]
        opening, found, closing = object_at(text, own.value)
    return text


def remove_value(text: str, path: Sequence[str]) -> str:
    """Remove the value and empty parents. Raises ValueError."""
    opening, found, closing = object_at(text, 0)
    levels = []
    for depth, key in enumerate(path):
        own = find_member(found, key)
        if own is None:
            return text
        levels.append((opening, found, closing, found.index(own)))
        if depth < len(path) - 1:
            opening, found, closing = object_at(text, own.value)
    while len(levels) > 1 and len(levels[-1][1]) == 1:
        levels.pop()
    opening, found, closing, at = levels[-1]
    if at:
        start, end = found[at - 1].end, found[at].end
    elif len(found) > 1:
        start, end = found[0].start, found[1].start
    else:
        start, end = opening + 1, closing
    return text[:start] + text[end:]


def find_member(found: Sequence[Member], key: str) -> Member | None:
    """Return the last duplicate."""
    return next((each for each in reversed(found) if each.key == key), None)


def object_at(text: str, at: int) -> tuple[int, list[Member], int]:
    """Return the opening offset, members and closing offset."""
    if at == 0 and not isinstance(json.loads(text), dict):
        raise ValueError("it is not a JSON object")
    opening = after_blanks(text, at)
    if text[opening] != "{":
        raise ValueError(f"{text[opening : opening + 20]!r} stands where an object should be")
    found = []
    at = after_blanks(text, opening + 1)
    while text[at] != "}":
        key, colon = DECODER.raw_decode(text, at)
        value = after_blanks(text, after_blanks(text, colon) + 1)
        _, end = DECODER.raw_decode(text, value)
        found.append(Member(key, at, value, end))
        at = after_blanks(text, end)
        if text[at] == ",":
            at = after_blanks(text, at + 1)
    return opening, found, at


def after_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at] in BLANKS:
        at += 1
    return at


def add_member(text: str, opening: int, found: Sequence[Member], closing: int, key: str, value: Any) -> str:
    """Append a member, indented like the others, else with tabs like docker."""
    line = text.rfind("\n", 0, opening) + 1
    outer = text[line : after_blanks(text, line)]
    if not found:
        new = f"\n{outer}{TAB}{key}: {indented_json(value, outer + TAB, TAB)}\n{outer}"
        return text[: opening + 1] + new + text[closing:]
    start, end = found[-1].start, found[-1].end
    gap = text[len(text[:start].rstrip(BLANKS)) : start]
    if "\n" not in gap:
        return f"{text[:end]},{gap}{key}: {json.dumps(value)}{text[end:]}"
    indent = gap.rpartition("\n")[2]
    return f"{text[:end]},{gap}{key}: {indented_json(value, indent, indent.removeprefix(outer) or TAB)}{text[end:]}"


def indented_json(value: Any, indent: str, deeper: str) -> str:
    return json.dumps(value, indent=deeper).replace("\n", f"\n{indent}")
