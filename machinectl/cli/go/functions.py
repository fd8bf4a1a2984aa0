"""The functions of templates: Go's, docker-machine's and docker's (docker/cli templates/templates.go).

Integers are printed in full; Go would print 1000000 as 1e+06.
"""

from __future__ import annotations

import json
import operator
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

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


def go_json(value: Any, *, escaped: Mapping[int, str] = ESCAPED, indent: int | None = None) -> str:
    """Return json.Marshal's text: sorted keys, <, > and & escaped. Raises UsageError for a value outside JSON."""
    separators = (",", ": " if indent else ":")
    try:
        text = json.dumps(
            value, ensure_ascii=False, allow_nan=False, sort_keys=True, indent=indent, separators=separators
        )
    except ValueError as exc:
        raise invalid_template(str(exc)) from exc
    return text.translate(escaped)


def plain_json(value: Any) -> str:
    """Return JSON with plain <, > and & (SetEscapeHTML(false))."""
    return go_json(value, escaped={})


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


# Name: function, minimum and maximum number of arguments. They raise one of REFUSALS for a value that does not fit.
Functions = Mapping[str, tuple[Callable[..., Any], int, int]]
REFUSALS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
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
        elif isinstance(value, list) and type(key) is int and key >= 0:
            value = value[key]
        else:
            raise TypeError
    return value


def equal(first: Any, *others: Any) -> bool:
    """Return whether the value equals any of the others."""
    if first is not None and any(other is not None and kind(other) != kind(first) for other in others):
        raise TypeError
    return first in others


def comparison(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def run(first: Any, other: Any) -> bool:
        if kind(first) != kind(other) or kind(first) not in {"number", "string"}:
            raise TypeError
        return compare(first, other)

    return run


def printf(form: str, *values: Any) -> str:
    """Format by Python's %, which does it as C and Go do."""
    left = list(values)

    def replacement(match: re.Match[str]) -> str:
        directive, verb = f"%{match['form']}", match["verb"]
        if verb == "%":
            return verb
        value = left.pop(0)
        if verb in {"s", "v"} or (verb == "q" and isinstance(value, str)):
            return f"{directive}s" % (plain_json(value) if verb == "q" else go_text(value))
        if kind(value) != "number" or verb not in "doxXeEfFgG":
            raise TypeError
        return str(f"{directive}{verb}" % value)

    text = DIRECTIVE.sub(replacement, form)
    if left:
        raise ValueError
    return text


# Go's own functions.
BUILT_IN: Functions = {
    "index": (go_index, 2, MANY),
    "eq": (equal, 2, MANY),
    "ne": (lambda first, other: not equal(first, other), 2, 2),
    **{name: (comparison(getattr(operator, name)), 2, 2) for name in ("lt", "le", "gt", "ge")},
    "and": (lambda *values: next((value for value in values if not value), values[-1]), 1, MANY),
    "or": (lambda *values: next((value for value in values if value), values[-1]), 1, MANY),
    "not": (lambda value: not value, 1, 1),
    # A string's length is in bytes.
    "len": (lambda value: len(value.encode(errors="surrogatepass") if isinstance(value, str) else value), 1, 1),
    "printf": (printf, 1, MANY),
}
# With docker-machine's.
FUNCTIONS: Functions = {
    **BUILT_IN,
    "json": (go_json, 1, 1),
    "prettyjson": (lambda value: go_json(value, indent=4), 1, 1),
}
# With docker's.
DOCKERS: Functions = {
    **BUILT_IN,
    # Escape <, > and & only in a whole row, as docker does.
    "json": (lambda value: go_json(value) if isinstance(value, dict) else plain_json(value), 1, 1),
    "join": (lambda values, separator: separator.join(map(go_text, values)), 2, 2),
    "lower": (lambda text: text.lower(), 1, 1),
    "pad": (lambda text, before, after: text and " " * before + text + " " * after, 3, 3),
    "split": (lambda text, separator: text.split(separator) if separator else list(text), 2, 2),
    "title": (lambda text: text.title(), 1, 1),
    "truncate": (lambda text, length: text[: max(length, 0)], 2, 2),
    "upper": (lambda text: text.upper(), 1, 1),
}
# For docker's table headings (HeaderFunctions): Go's own functions and pad work on the headings, too.
OF_HEADINGS: Functions = {
    name: (function if name in {*BUILT_IN, "pad"} - {"index"} else (lambda value, *_: value), least, most)
    for name, (function, least, most) in DOCKERS.items()
}
