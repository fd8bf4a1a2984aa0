"""Go's fmt.Printf, for printf in templates: https://pkg.go.dev/fmt."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

from machinectl.cli.go.value_format import Duration, go_text, json_string, kind
from machinectl.errors import UsageError

# Go limits width and precision to a million.
DIRECTIVE = re.compile(r"%(?P<form>[-+# 0]*[0-9]{0,6}(?:\.[0-9]{0,6})?)(?P<verb>.?)", re.DOTALL)
# Go's names of the types.
TYPES = {"string": "string", "boolean": "bool", "list": "[]interface {}", "map": "map[string]interface {}"}


def printf(form: Any, *values: Any) -> str:
    """Format as Go does, with its marks for what does not fit: %!d(string=web1). Raises UsageError."""
    if not isinstance(form, str):
        raise UsageError(f"The template cannot be used: printf needs a string first, not a {kind(form)}")
    left = list(values)

    def replacement(match: re.Match[str]) -> str:
        verb = match["verb"]
        if verb == "%":
            return verb
        if not (verb and left):
            return f"%!{verb}(MISSING)" if verb else "%!(NOVERB)"
        return formatted(left.pop(0), match["form"], verb)

    text = DIRECTIVE.sub(replacement, form)
    extra = ", ".join(map(with_type, left))
    return f"{text}%!(EXTRA {extra})" if left else text


def formatted(value: Any, form: str, verb: str) -> str:
    """Format a value by Python's %, which does it as C and Go do. %s prints numbers, too."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    with suppress(OverflowError, ValueError):
        if verb in {"s", "v"} or (verb == "t" and isinstance(value, bool)):
            return f"%{form}s" % go_text(value)
        if verb == "q" and isinstance(value, str):
            return f"%{form}s" % json_string(value, escaped={})
        if isinstance(value, int) and number and verb in {"d", "o", "x", "X"}:
            return str(f"%{form}{verb}" % value)
        if number and not isinstance(value, Duration) and verb in {"e", "E", "f", "F", "g", "G"}:
            return str(f"%{form}{verb}" % value)
    return f"%!{verb}({with_type(value)})"


def with_type(value: Any) -> str:
    """Return TYPE=VALUE, as Go marks a value that does not fit."""
    number = "time.Duration" if isinstance(value, Duration) else "int" if isinstance(value, int) else "float64"
    return "<nil>" if value is None else f"{TYPES.get(kind(value), number)}={go_text(value)}"
