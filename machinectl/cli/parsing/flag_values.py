"""Read the values of flags, and say which ones are valid. Light path."""

from __future__ import annotations

import os

from machinectl.errors import Hint, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.machines.flags import Flag

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
