"""Functions that docker's templates add to Go's (docker/cli templates/templates.go)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from machinectl.errors import UsageError
from machinectl.go.template import index
from machinectl.go.value_format import go_json, go_text, kind, plain_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise wrong("string", value)


def count(value: Any) -> int:
    if type(value) is int:
        return value
    raise wrong("whole number", value)


def wrong(wanted: str, value: Any) -> UsageError:
    return UsageError(f"The template cannot be used: a {wanted} is wanted where a {kind(value)} is")


def json(value: Any) -> str:
    """Escape <, > and & only in a whole row, as docker does."""
    return go_json(value) if isinstance(value, dict) else plain_json(value)


def join(values: Any, separator: Any) -> str:
    if not isinstance(values, list):
        raise wrong("list", values)
    return text(separator).join(go_text(value) for value in values)


def split(value: Any, separator: Any) -> list[str]:
    return text(value).split(separator) if text(separator) else list(text(value))


def title(value: Any) -> str:
    before = " "
    letters = []
    for letter in text(value):
        inside = before.isalnum() or before in "_'"
        letters.append(letter if inside else letter.title())
        before = letter
    return "".join(letters)


def pad(value: Any, before: Any, after: Any) -> str:
    return text(value) and " " * count(before) + text(value) + " " * count(after)


def as_it_is(value: Any, *_: Any) -> Any:
    return value


# The format is that of machinectl.go.template.FUNCTIONS.
DOCKERS: Mapping[str, tuple[Callable[..., Any], int, int]] = {
    "json": (json, 1, 1),
    "index": (index, 2, sys.maxsize),
    "join": (join, 2, 2),
    "lower": (lambda value: text(value).lower(), 1, 1),
    "pad": (pad, 3, 3),
    "split": (split, 2, 2),
    "title": (title, 1, 1),
    "truncate": (lambda value, length: text(value)[: max(count(length), 0)], 2, 2),
    "upper": (lambda value: text(value).upper(), 1, 1),
}
# For table headings (docker/cli's HeaderFunctions).
OF_HEADINGS = {name: (as_it_is, least, most) for name, (_, least, most) in DOCKERS.items()}
