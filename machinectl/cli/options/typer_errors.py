"""Word Typer's errors about a command line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from machinectl.cli.parsing.flag_values import valid_values, without_options
from machinectl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from machinectl.errors import Hint
    from machinectl.machines.flags import Flag

EXTRA = re.compile(r"unexpected extra argument(?:\(s\)|s)? \((.*)\)", re.DOTALL)


def usage_error_of(error: Any, flags: Iterable[Flag], hint: Hint) -> UsageError:
    """Translate Typer's error."""
    extra = EXTRA.search(error.message)
    cause = f"Invalid command line. Found extra arguments [{extra[1]}]" if extra else usage_text(error, flags)
    found = UsageError(cause, hint, for_scripts=extra is not None)
    if type(error).__name__ == "NoArgsIsHelpError":
        found.label = ""
    return found


def usage_text(error: Any, flags: Iterable[Flag]) -> str:
    """Return a sentence without Typer's notation."""
    option = getattr(error, "option_name", "")
    if parameter := getattr(error, "param", None):
        is_option = parameter.param_type_name == "option"
        what = max(parameter.opts, key=len) if is_option else without_options(parameter.metavar).split()[-1]
        return f"{what} is missing"
    if option and "requires" in error.message:
        wanted = next((valid_values(flag) for flag in flags if option in flag.all_names), "")
        return f"{option} requires an argument{f': {wanted}' if wanted else ''}"
    if option:
        return f"{option} takes no value"
    return str(error.format_message())
