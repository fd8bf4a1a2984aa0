"""The functions of templates: Go's, docker-machine's and docker's (docker/cli templates/templates.go).

Integers are printed in full; Go would print 1000000 as 1e+06.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from machinectl.errors import UsageError

NOT_FINITE = {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}
# encoding/json also escapes these, for HTML and JavaScript.
ESCAPED = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def go_text(value: Any) -> str:
    """Return fmt's text: [a b], map[k:v], true, <nil>."""
    if isinstance(value, list):
        return f"[{' '.join(map(go_text, value))}]"
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{go_text(value[key])}' for key in sorted(value))}]"
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return NOT_FINITE.get(text, text.removesuffix(".0")) if isinstance(value, float) else text


def go_json(value: Any) -> str:
    """Return json.Marshal's text: sorted keys, <, > and & escaped. Raises UsageError for a value outside JSON."""
    return json_string(value)


def plain_json(value: Any) -> str:
    """Return JSON with plain <, > and & (SetEscapeHTML(false))."""
    return json_string(value, escaped={})


def pretty_json(value: Any) -> str:
    """Return JSON as docker-machine indents it."""
    return json_string(value, indent=4, separators=(",", ": "))


def json_string(
    value: Any,
    *,
    escaped: Mapping[int, str] = ESCAPED,
    indent: int | None = None,
    separators: tuple[str, str] = (",", ":"),
) -> str:
    try:
        text = json.dumps(
            value, ensure_ascii=False, allow_nan=False, sort_keys=True, indent=indent, separators=separators
        )
    except ValueError as exc:
        raise UsageError(f"The template cannot be used: {exc}") from exc
    return text.translate(escaped)


def go_duration(seconds: float) -> str:
    """Return time.Duration's text in rounded milliseconds: 0s, 12ms, 1.5s, 1m10s."""
    milliseconds = round(seconds * 1000)
    if 0 < milliseconds < 1000:  # noqa: PLR2004  # a second
        return f"{milliseconds}ms"
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    large = f"{hours}h{minutes}m" if hours else f"{minutes}m" * bool(minutes)
    return f"{large}{milliseconds / 1000:g}s"


def kind(value: Any) -> str:
    """Return a type's name, for use after "a"."""
    names = {dict: "map", list: "list", str: "string", bool: "boolean", int: "number", float: "number"}
    return next((name for of, name in names.items() if isinstance(value, of)), "null")


# Name: function, minimum and maximum number of arguments.
Functions = Mapping[str, tuple[Callable[..., Any], int, int]]
Wanted = TypeVar("Wanted")
MANY = sys.maxsize
# Characters of the template in an error.
LONGEST_EXCERPT = 40
# Go limits width and precision to a million.
DIRECTIVE = re.compile(r"%(?P<form>[-+# 0]*[0-9]{0,6}(?:\.[0-9]{0,6})?)(?P<verb>.?)", re.DOTALL)


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


def equal(first: Any, *others: Any) -> bool:
    """Return whether the value equals any of the others."""
    for other in others:
        if first is not None and other is not None and kind(first) != kind(other):
            raise invalid_template(f"a {kind(first)} cannot be compared with a {kind(other)}")
    return first in others


def compared(first: Any, other: Any) -> int:
    """Return a number below, equal to or above 0."""
    if kind(first) != kind(other) or kind(first) not in {"number", "string"}:
        raise invalid_template(f"a {kind(first)} cannot be compared with a {kind(other)}")
    return int(first > other) - int(first < other)


def go_length(value: Any) -> int:
    """Return the length of a list or a map, or a string's in bytes."""
    if isinstance(value, str):
        return len(value.encode(errors="surrogatepass"))
    if isinstance(value, list | dict):
        return len(value)
    raise invalid_template(f"len takes a string, a list or a map, not a {kind(value)}")


def printf(form: Any, *values: Any) -> str:
    """Format by Python's %, which does it as C and Go do. Raises UsageError for a value that does not fit."""
    left = list(values)

    def replacement(match: re.Match[str]) -> str:
        directive, verb = f"%{match['form']}", match["verb"]
        if verb == "%":
            return verb
        if not left:
            raise invalid_template(f"printf has no value for {quote_excerpt(match[0])}")
        value = left.pop(0)
        try:
            if verb in {"s", "v"}:
                return f"{directive}s" % go_text(value)
            if verb == "q" and isinstance(value, str):
                return f"{directive}s" % plain_json(value)
            is_whole = isinstance(value, int) and verb in {"d", "o", "x", "X"}
            if kind(value) == "number" and (is_whole or verb in {"e", "E", "f", "F", "g", "G"}):
                return str(f"{directive}{verb}" % value)
        except (OverflowError, ValueError):
            pass
        raise invalid_template(f"printf cannot print a {kind(value)} with {quote_excerpt(match[0])}")

    text = DIRECTIVE.sub(replacement, of_type(str, form))
    if left:
        raise invalid_template("printf has more values than its text takes")
    return text


def of_type(wanted: type[Wanted], value: Any) -> Wanted:
    if isinstance(value, wanted):
        return value
    raise invalid_template(f"it needs a {kind(wanted())}, but got a {kind(value)}")


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
    "ne": (lambda first, other: not equal(first, other), 2, 2),
    "lt": (lambda first, other: compared(first, other) < 0, 2, 2),
    "le": (lambda first, other: compared(first, other) <= 0, 2, 2),
    "gt": (lambda first, other: compared(first, other) > 0, 2, 2),
    "ge": (lambda first, other: compared(first, other) >= 0, 2, 2),
    "and": (lambda *values: next((value for value in values if not value), values[-1]), 1, MANY),
    "or": (lambda *values: next((value for value in values if value), values[-1]), 1, MANY),
    "not": (lambda value: not value, 1, 1),
    "len": (go_length, 1, 1),
    "printf": (printf, 1, MANY),
}
# With docker-machine's.
FUNCTIONS: Functions = {**BUILT_IN, "json": (go_json, 1, 1), "prettyjson": (pretty_json, 1, 1)}
# With docker's.
DOCKERS: Functions = {
    **BUILT_IN,
    # Escape <, > and & only in a whole row, as docker does.
    "json": (lambda value: go_json(value) if isinstance(value, dict) else plain_json(value), 1, 1),
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
