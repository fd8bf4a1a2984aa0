"""Print JSON values and names like Go (fmt, encoding/json).

Integers are printed in full; Go would print 1000000 as 1e+06.
"""

from __future__ import annotations

import json

from machinectl.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

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
