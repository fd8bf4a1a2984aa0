"""Functions that docker's templates add to Go's (docker/cli templates/templates.go)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from machinectl.cli.go.template import BUILT_IN, invalid_template
from machinectl.cli.go.value_format import go_json, go_text, kind, plain_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    Wanted = TypeVar("Wanted")


def as_string(value: Any) -> str:
    return of_type(str, value)


def as_count(value: Any) -> int:
    return of_type(int, value)


def of_type(wanted: type[Wanted], value: Any) -> Wanted:
    if isinstance(value, wanted):
        return value
    raise invalid_template(f"it needs a {kind(wanted())}, but got a {kind(value)}")


def json(value: Any) -> str:
    """Escape <, > and & only in a whole row, as docker does."""
    return go_json(value) if isinstance(value, dict) else plain_json(value)


def go_join(values: Any, separator: Any) -> str:
    return as_string(separator).join(map(go_text, of_type(list, values)))


def pad(value: Any, before: Any, after: Any) -> str:
    return as_string(value) and " " * as_count(before) + as_string(value) + " " * as_count(after)


# The format is that of machinectl.cli.go.template.FUNCTIONS.
DOCKERS: Mapping[str, tuple[Callable[..., Any], int, int]] = {
    **BUILT_IN,
    "json": (json, 1, 1),
    "join": (go_join, 2, 2),
    "lower": (lambda value: as_string(value).lower(), 1, 1),
    "pad": (pad, 3, 3),
    "split": (lambda value, by: as_string(value).split(by) if as_string(by) else list(as_string(value)), 2, 2),
    "title": (lambda value: as_string(value).title(), 1, 1),
    "truncate": (lambda value, length: as_string(value)[: max(as_count(length), 0)], 2, 2),
    "upper": (lambda value: as_string(value).upper(), 1, 1),
}
# For table headings (docker/cli's HeaderFunctions): Go's own functions and pad work on the headings, too.
OF_HEADINGS: Mapping[str, tuple[Callable[..., Any], int, int]] = {
    name: (function if name in {*BUILT_IN, "pad"} - {"index"} else (lambda value, *_: value), least, most)
    for name, (function, least, most) in DOCKERS.items()
}
