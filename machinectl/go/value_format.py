"""Print JSON values and names like Go (fmt, encoding/json).

Integers are printed in full; Go would print 1000000 as 1e+06.
"""

from __future__ import annotations

import json
import math

from machinectl.errors import UsageError

NULL = "null"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Self

# Deeper than any record, and below Python's recursion limit.
DEEPEST = 60
# docker-machine's.
INDENT = "    "
NOT_FINITE = {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}

# encoding/json also escapes these, for HTML and JavaScript.
ESCAPED = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def go_text(value: Any, depth: int = 0) -> str:
    """Return fmt's text: [a b], map[k:v], true, <nil>. Raises UsageError for deep nesting."""
    check_depth(depth)
    if isinstance(value, list):
        return f"[{' '.join(go_text(element, depth + 1) for element in value)}]"
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{go_text(value[key], depth + 1)}' for key in sorted(value))}]"
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        # %v: the shortest %g, scientific below 1e-4 and from 1e6.
        return go_float(value, -5, 6) if math.isfinite(value) else NOT_FINITE[str(value)]
    return str(value)


def go_json(value: Any) -> str:
    """Return json.Marshal's text: sorted keys, <, > and & escaped.

    Raises UsageError for deep nesting or a value outside JSON.
    """
    return encoded(value, None)


def plain_json(value: Any) -> str:
    """Return JSON with plain <, > and & (SetEscapeHTML(false))."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def pretty_json(value: Any) -> str:
    return encoded(value, "\n")


def encoded(value: Any, margin: str | None, depth: int = 0) -> str:
    """Return JSON. `margin` is the line's newline and indentation, None for one line."""
    check_depth(depth)
    if isinstance(value, str):
        return json_string(value)
    if isinstance(value, float):
        return json_float(value)
    if isinstance(value, Duration):
        return str(int(value))
    if not isinstance(value, list | dict):
        return NULL if value is None else go_text(value)
    inner = None if margin is None else margin + INDENT
    if isinstance(value, dict):
        colon = ":" if margin is None else ": "
        members = [f"{json_string(key)}{colon}{encoded(value[key], inner, depth + 1)}" for key in sorted(value)]
    else:
        members = [encoded(element, inner, depth + 1) for element in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    if not members or inner is None:
        return opening + ",".join(members) + closing
    return f"{opening}{inner}{f',{inner}'.join(members)}{margin}{closing}"


def json_string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).translate(ESCAPED)


def json_float(value: float) -> str:
    if not math.isfinite(value):
        raise UsageError(f"JSON has no number {NOT_FINITE[str(value)]}")
    # As in ECMAScript, with a short exponent (encoding/json's floatEncoder).
    return go_float(value, -7, 21).replace("e-0", "e-")


def go_float(value: float, small: int, large: int) -> str:
    """Return the shortest digits, in scientific form if the exponent is <= small or >= large."""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    sign = "-" if math.copysign(1, value) < 0 else ""
    if not digits:
        return f"{sign}0"
    # The decimal point's position in `digits`, maybe outside of them.
    point = int(exponent or 0) + len(digits) - len(fraction)
    digits = digits.rstrip("0")
    if small < point - 1 < large:
        whole = digits[: max(point, 0)].ljust(point, "0") or "0"
        fraction = "0" * -point + digits[max(point, 0) :]
        return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"
    fraction = f".{digits[1:]}" if digits[1:] else ""
    return f"{sign}{digits[0]}{fraction}e{point - 1:+03d}"


def go_duration(seconds: float) -> str:
    """Return time.Duration's text in rounded milliseconds: 0s, 12ms, 1.5s, 1m10s."""
    milliseconds = round(seconds * 1000)
    if 0 < milliseconds < 1000:  # noqa: PLR2004  # a second
        return f"{milliseconds}ms"
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    large = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{large}{go_float(milliseconds / 1000, -5, 6)}s"


class Duration(int):
    """Go's time.Duration: nanoseconds, here of a time rounded to milliseconds. Its text is go_duration's."""

    @classmethod
    def of_seconds(cls, seconds: float) -> Self:
        return cls(round(seconds * 1000) * 1_000_000)

    def __str__(self) -> str:
        return go_duration(self / 1_000_000_000)

    @property
    def results(self) -> dict[str, Any]:
        """The result of each method."""
        whole = {"Nanoseconds": 1, "Microseconds": 1_000, "Milliseconds": 1_000_000}
        parts = {"Seconds": 1_000_000_000, "Minutes": 60_000_000_000, "Hours": 3_600_000_000_000}
        return {
            "String": str(self),
            **{name: self // each for name, each in whole.items()},
            **{name: self / each for name, each in parts.items()},
        }


class NullUsed(UsageError):
    """A template uses a null, as of a label that this row does not have."""


def wrong_kind(what: str, *values: Any) -> UsageError:
    """Return the error for values that a template cannot use so."""
    error = NullUsed if NULL in map(kind, values) else UsageError
    return error(f"The template cannot be used: {what}")


def kind(value: Any) -> str:
    """Return a type's name, for use after "a"."""
    names = {dict: "map", list: "list", str: "string", bool: "boolean", int: "number", float: "number"}
    return next((name for of, name in names.items() if isinstance(value, of)), NULL)


def check_depth(depth: int) -> None:
    if depth > DEEPEST:
        raise UsageError(f"A value is nested more than {DEEPEST} deep")


# Ours of go.dev/wiki/CodeReviewComments#initialisms.
INITIALISMS = {"api": "API", "mac": "MAC", "os": "OS", "sans": "SANs", "tls": "TLS", "url": "URL"}


def go_name(name: str) -> str:
    """Return a name as exported in Go: APIVersion."""
    return "".join(INITIALISMS.get(word) or word[:1].upper() + word[1:] for word in name.split("_"))


def go_names(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {go_name(name): value for name, value in fields.items()}
