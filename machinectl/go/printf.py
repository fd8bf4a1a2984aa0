"""Go's fmt.Printf, for printf in templates: https://pkg.go.dev/fmt."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any, NamedTuple

from machinectl.errors import UsageError
from machinectl.go.value_format import Duration, go_text, kind, wrong_kind

# Go limits width and precision to a million.
DIRECTIVE = re.compile(
    r"%(?P<flags>[-+# 0]*)(?P<width>[0-9]{0,6})(?P<point>\.?)(?P<precision>(?<=\.)[0-9]{0,6})?(?P<verb>.?)", re.DOTALL
)
# Go's names of the types.
TYPES = {"string": "string", "boolean": "bool", "list": "[]interface {}", "map": "map[string]interface {}"}
INTEGERS = {"d": "d", "v": "d", "b": "b", "o": "o", "x": "x", "X": "X"}
FLOATS = {"e": "e", "E": "E", "f": "f", "F": "f", "g": "g", "G": "G"}


class Directive(NamedTuple):
    """`precision` is None if there is none."""

    flags: str
    width: int
    precision: int | None
    verb: str

    def padded(self, text: str, *, number: bool = False) -> str:
        if "-" in self.flags:
            return text.ljust(self.width)
        if number and "0" in self.flags:
            return text.zfill(self.width)
        return text.rjust(self.width)


def printf(form: Any, *values: Any) -> str:
    """Format as Go does, with its marks for what does not fit: %!d(string=web1). Raises UsageError."""
    if not isinstance(form, str):
        raise wrong_kind(f"printf needs a string first, not a {kind(form)}", form)
    left = list(values)

    def replacement(match: re.Match[str]) -> str:
        verb = match["verb"]
        if verb == "%":
            return verb
        if verb in {"*", "["}:
            raise UsageError(f"The template cannot be used: %{verb} in printf is not supported")
        if not (verb and left):
            return f"%!{verb}(MISSING)" if verb else "%!(NOVERB)"
        precision = int(match["precision"] or 0) if match["point"] else None
        return formatted(left.pop(0), Directive(match["flags"], int(match["width"] or 0), precision, verb))

    text = DIRECTIVE.sub(replacement, form)
    extra = ", ".join(map(with_type, left))
    return f"{text}%!(EXTRA {extra})" if left else text


def formatted(value: Any, directive: Directive) -> str:
    verb = directive.verb
    if verb == "T":
        return directive.padded(go_type(value))
    if isinstance(value, Duration) and verb in "svqxX":
        return formatted(str(value), directive)
    if isinstance(value, list):
        return f"[{' '.join(formatted(element, directive) for element in value)}]"
    if isinstance(value, dict):
        members = (f"{formatted(key, directive)}:{formatted(value[key], directive)}" for key in sorted(value))
        return f"map[{' '.join(members)}]"
    if isinstance(value, str) and verb in "svq":
        text = value[: directive.precision]
        return directive.padded(json.dumps(text, ensure_ascii=False) if verb == "q" else text)
    if isinstance(value, str) and verb in "xX":
        code = value.encode(errors="surrogatepass").hex()
        return directive.padded(code.upper() if verb == "X" else code)
    if (isinstance(value, bool) and verb in "tv") or (value is None and verb == "v"):
        return directive.padded(go_text(value))
    if isinstance(value, int | float) and not isinstance(value, bool) and (text := number(value, directive)):
        return directive.padded(text, number=True)
    return f"%!{verb}({with_type(value)})"


def number(value: float, directive: Directive) -> str:
    """Return a number without padding, "" if the verb is not for its type."""
    verb, precision = directive.verb, directive.precision
    if isinstance(value, int) and verb in FLOATS and not isinstance(value, Duration):
        # The numbers of docker-machine's `inspect` come from JSON: Go reads them as float64.
        with suppress(OverflowError):
            value = float(value)
    if isinstance(value, int):
        text = format(value, INTEGERS[verb]) if verb in INTEGERS else character(value) if verb == "c" else ""
    elif verb in "vg" and precision is None:
        text = go_text(value)
    elif verb in FLOATS or verb == "v":
        text = format(value, f".{6 if precision is None else precision}{FLOATS.get(verb, 'g')}")
    else:
        return ""
    sign = next((flag for flag in "+ " if flag in directive.flags), "")
    return sign + text if text and not text.startswith(("-", "+")) and verb != "c" else text


def character(number: int) -> str:
    try:
        return chr(number)
    except (ValueError, OverflowError):
        return "\ufffd"


def with_type(value: Any) -> str:
    """Return TYPE=VALUE, as Go marks a value that does not fit."""
    return "<nil>" if value is None else f"{go_type(value)}={go_text(value)}"


def go_type(value: Any) -> str:
    if value is None:
        return "<nil>"
    if isinstance(value, Duration):
        return "time.Duration"
    return TYPES.get(kind(value)) or ("int" if isinstance(value, int) else "float64")
