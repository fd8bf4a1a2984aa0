"""Read a command line's values from the declarations, without Typer, which words the errors. Light path."""

from __future__ import annotations

import os

from machinectl.cli.parsing.go_flags import values_of_variable
from machinectl.errors import Hint, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from machinectl.cli.declared_verb import Argument
    from machinectl.machines.flags import Flag


class NotReadError(Exception):
    """Typer must read this command line: it has an error, or asks for help."""


def read_values(
    words: Sequence[str], flags: Sequence[Flag], arguments: Sequence[Argument] = (), *, passes_on: bool = False
) -> dict[str, Any]:
    """Return values by parameter. `words` are canonical.

    If the verb `passes_on`, all words from the first name on are arguments. Raises NotReadError, or UsageError for a
    wrong number.
    """
    known = {name: flag for flag in flags for name in flag.all_names}
    given: dict[str, Any] = {}
    rest: list[str] = []
    for position, word in enumerate(words):
        if word == "--":
            rest += words[position + 1 :]
            break
        if word.startswith("-") and word != "-":
            take_flag(word, known, given)
            continue
        if passes_on:
            rest += words[position:]
            break
        rest.append(word)
    given.update({flag.parameter: unset_value(flag) for flag in flags if flag.parameter not in given})
    return {**given, **argument_values(rest, arguments)}


def take_flag(word: str, known: Mapping[str, Flag], given: dict[str, Any]) -> None:
    name, equals, text = word.partition("=")
    flag = known.get(name)
    if flag is None or bool(flag.metavar) != bool(equals):
        raise NotReadError
    if flag.many:
        given.setdefault(flag.parameter, []).append(text)
    else:
        given[flag.parameter] = converted(flag, text) if equals else name != flag.off


def converted(flag: Flag, text: str) -> Any:
    return read_number(flag, text) if flag.kind in {int, float} else text


def unset_value(flag: Flag) -> Any:
    """Return the value of a flag that was not typed: from its variable, else its default."""
    # A secret's variable holds the secret, not a file name.
    text = os.environ.get(flag.variable, "") if flag.variable and not flag.secret else ""
    if text and flag.metavar:
        return values_of_variable(flag.variable) if flag.many else converted(flag, text)
    if text or flag.required:
        raise NotReadError
    if flag.many:
        return list(flag.default) if isinstance(flag.default, list) else []
    return flag.kind(flag.default) if flag.kind is float and flag.default is not None else flag.default


def argument_values(words: Sequence[str], arguments: Sequence[Argument]) -> dict[str, Any]:
    """Share words out to the arguments, in order; a repeated one takes the rest."""
    left = list(words)
    given: dict[str, Any] = {}
    for argument in arguments:
        if argument.required and not left:
            raise NotReadError
        if argument.many:
            given[argument.parameter], left = left, []
        else:
            given[argument.parameter] = left.pop(0) if left else ""
    if left:
        raise NotReadError
    return given


# By metavar.
UNITS = {"SECONDS": "seconds", "PORT": "a port number", "DAYS": "days"}


def read_number(flag: Flag, given: str | float) -> int | float:
    """Return the value of a flag of kind int or float. Raises UsageError for an invalid one."""
    import math

    low, high = flag.limits
    try:
        number: int | float = flag.kind(given)
    except ValueError:
        number = math.nan
    if math.isfinite(number) and (low is None or number >= low) and (high is None or number <= high):
        return number
    raise UsageError(f"{typed_name(flag, given)} takes {valid_values(flag)}, not {given!r}")


def check_not_empty(flags: Sequence[Flag], words: Sequence[str]) -> None:
    """Raise UsageError for a flag with an empty value. `words` are canonical."""
    for flag in flags:
        if any(f"{name}=" in words for name in flag.all_names):
            instead = "" if flag.required else ", or leave it out"
            raise UsageError(
                f"{flag.flag} is empty: is a variable not set?",
                Hint(f"Pass {flag.flag} <{without_options(flag.metavar)}>{instead}"),
            )


def typed_name(flag: Flag, given: object) -> str:
    """Return the flag, or its environment variable if that has the value."""
    return flag.variable if flag.variable and os.environ.get(flag.variable) == given else flag.flag


def without_options(metavar: str) -> str:
    """Remove the parts in brackets, which may be left out."""
    import re

    while (shorter := re.sub(r"\[[^\[\]]*\]", "", metavar)) != metavar:
        metavar = shorter
    return metavar.strip()


def valid_values(flag: Flag) -> str:
    """Return what a flag takes, in words; else its metavar."""
    low, high = flag.limits
    if flag.kind not in {int, float}:
        return without_options(flag.metavar)
    number = UNITS.get(flag.metavar, "a whole number" if flag.kind is int else "a number")
    if low is None:
        return number
    return f"{number} from {low} to {high}" if high is not None else f"{number}, {low} or more"
