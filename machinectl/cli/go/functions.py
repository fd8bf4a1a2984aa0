"""The functions of templates: Go's, docker-machine's and docker's (docker/cli templates/templates.go)."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from machinectl.cli.go.value_format import Duration, go_json, go_text, json_string, kind, plain_json, pretty_json
from machinectl.errors import UsageError

# Name: function, minimum and maximum number of arguments.
Functions = Mapping[str, tuple[Callable[..., Any], int, int]]
Wanted = TypeVar("Wanted")
MANY = sys.maxsize
# Characters of the template in an error.
LONGEST_EXCERPT = 40
# Go limits width and precision to a million.
DIRECTIVE = re.compile(r"%(?P<form>[-+# 0]*[0-9]{0,6}(?:\.[0-9]{0,6})?)(?P<verb>.?)", re.DOTALL)
# Go's names of the types.
TYPES = {"string": "string", "boolean": "bool", "list": "[]interface {}", "map": "map[string]interface {}"}


class Heading(str):
    """A table's heading in place of a row's value: what a template takes out of it is a heading, too."""

    __slots__ = ()

    def part(self, name: Any) -> Heading:
        return Heading(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()) if isinstance(name, str) else self


def invalid_template(what: str) -> UsageError:
    return UsageError(f"The template cannot be used: {what}")


def quote_excerpt(text: str) -> str:
    short = text if len(text) <= LONGEST_EXCERPT else text[:LONGEST_EXCERPT] + "…"
    return f'"{short}"' if short.isprintable() and '"' not in short else repr(short)


def go_index(value: Any, *keys: Any) -> Any:
    """Return Go's index: `index x 1 "a"` is x[1]["a"]; a missing key gives null."""
    for key in keys:
        if isinstance(value, Heading):
            value = value.part(key)
        elif isinstance(value, dict) and isinstance(key, str):
            value = value.get(key)
        elif isinstance(value, list) and type(key) is int and 0 <= key < len(value):
            value = value[key]
        else:
            raise invalid_template(f"index: a {kind(value)} has no element {quote_excerpt(go_text(key))}")
    return value


def equal(one: Any, *others: Any) -> bool:
    """Return whether the value equals any of the others."""
    for other in others:
        if one is not None and other is not None and kind(one) != kind(other):
            raise invalid_template(f"a {kind(one)} cannot be compared with a {kind(other)}")
    return one in others


def compared(one: Any, other: Any) -> int:
    """Return a number below, equal to or above 0."""
    if kind(one) != kind(other) or kind(one) not in {"number", "string"}:
        raise invalid_template(f"a {kind(one)} cannot be compared with a {kind(other)}")
    return int(one > other) - int(one < other)


def go_print(*values: Any) -> str:
    """Return Go's `print`: a blank between two values of which neither is a string."""
    text = ""
    for at, value in enumerate(values):
        is_apart = at > 0 and not isinstance(value, str) and not isinstance(values[at - 1], str)
        text += " " * is_apart + go_text(value)
    return text


def go_length(value: Any) -> int:
    """Return the length of a list or a map, or a string's in bytes."""
    if isinstance(value, str):
        return len(value.encode(errors="surrogatepass"))
    if isinstance(value, list | dict):
        return len(value)
    raise invalid_template(f"len takes a string, a list or a map, not a {kind(value)}")


def printf(form: Any, *values: Any) -> str:
    """Format as Go does, with its marks for what does not fit: %!d(string=web1). Raises UsageError."""
    left = list(values)

    def replacement(match: re.Match[str]) -> str:
        verb = match["verb"]
        if verb == "%":
            return verb
        if not (verb and left):
            return f"%!{verb}(MISSING)" if verb else "%!(NOVERB)"
        return formatted(left.pop(0), match["form"], verb)

    text = DIRECTIVE.sub(replacement, of_type(str, form))
    return f"{text}%!(EXTRA {', '.join(map(with_type, left))})" if left else text


def formatted(value: Any, form: str, verb: str) -> str:
    """Format a value by Python's %, which does it as C and Go do. %s prints numbers, too."""
    number = kind(value) == "number"
    with suppress(OverflowError, ValueError):
        if verb in {"s", "v"} or (verb == "t" and isinstance(value, bool)):
            return f"%{form}s" % go_text(value)
        if verb == "q" and isinstance(value, str):
            return f"%{form}s" % json_string(value, escaped={})
        is_whole = isinstance(value, int) and verb in {"d", "o", "x", "X"}
        is_float = not isinstance(value, Duration) and verb in {"e", "E", "f", "F", "g", "G"}
        if number and (is_whole or is_float):
            return str(f"%{form}{verb}" % value)
    return f"%!{verb}({with_type(value)})"


def with_type(value: Any) -> str:
    """Return TYPE=VALUE, as Go marks a value that does not fit."""
    number = "time.Duration" if isinstance(value, Duration) else "int" if isinstance(value, int) else "float64"
    return "<nil>" if value is None else f"{TYPES.get(kind(value), number)}={go_text(value)}"


def of_type(wanted: type[Wanted], value: Any) -> Wanted:
    if isinstance(value, wanted):
        return value
    raise invalid_template(f"it needs a {kind(wanted())}, but got a {kind(value)}")


def row_json(value: Any) -> str:
    """Escape <, > and & only in a whole row, as docker does."""
    return go_json(value) if isinstance(value, dict) else plain_json(value)


def pad(value: Any, before: Any, after: Any) -> str:
    text = of_type(str, value)
    return text and " " * of_type(int, before) + text + " " * of_type(int, after)


def split(value: Any, separator: Any) -> list[str]:
    text = of_type(str, value)
    return text.split(separator) if of_type(str, separator) else list(text)


# Go's own functions.
BUILT_IN: Functions = {
    "index": (go_index, 2, MANY),
    "eq": (equal, 2, MANY),
    "ne": (lambda one, other: not equal(one, other), 2, 2),
    "lt": (lambda one, other: compared(one, other) < 0, 2, 2),
    "le": (lambda one, other: compared(one, other) <= 0, 2, 2),
    "gt": (lambda one, other: compared(one, other) > 0, 2, 2),
    "ge": (lambda one, other: compared(one, other) >= 0, 2, 2),
    "and": (lambda *values: next((value for value in values if not value), values[-1]), 1, MANY),
    "or": (lambda *values: next((value for value in values if value), values[-1]), 1, MANY),
    "not": (lambda value: not value, 1, 1),
    "len": (go_length, 1, 1),
    "print": (go_print, 0, MANY),
    "printf": (printf, 1, MANY),
    "println": (lambda *values: " ".join(map(go_text, values)) + "\n", 0, MANY),
}
# With docker-machine's.
FUNCTIONS: Functions = {**BUILT_IN, "json": (go_json, 1, 1), "prettyjson": (pretty_json, 1, 1)}
# With docker's.
DOCKERS: Functions = {
    **BUILT_IN,
    "json": (row_json, 1, 1),
    "join": (lambda values, separator: of_type(str, separator).join(map(go_text, of_type(list, values))), 2, 2),
    "lower": (lambda value: of_type(str, value).lower(), 1, 1),
    "pad": (pad, 3, 3),
    "split": (split, 2, 2),
    "title": (lambda value: of_type(str, value).title(), 1, 1),
    "truncate": (lambda value, length: of_type(str, value)[: max(of_type(int, length), 0)], 2, 2),
    "upper": (lambda value: of_type(str, value).upper(), 1, 1),
}
# For docker's table headings (HeaderFunctions): Go's own functions and pad work on the headings, too.
OF_HEADINGS: Functions = {
    name: (function if name in {*BUILT_IN, "pad"} - {"index"} else (lambda value, *_: value), least, most)
    for name, (function, least, most) in DOCKERS.items()
}
