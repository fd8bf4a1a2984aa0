"""The flags that `create` and `set` take from a machine's driver. Light path."""

from __future__ import annotations

import sys

from machinectl.cli.parsing.go_flags import WITH_DRIVER_OPTIONS
from machinectl.errors import Hint
from machinectl.machines.flags import FILE, TEXT, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.cli.declared_verb import Verb
    from machinectl.driver import Option


# The section in --help; the driver's name follows.
IN_DRIVER = "Options of driver "
# Prefix of their parameter names.
PREFIX = "driver_option_"


def driver_flag(driver_name: str, option: Option) -> Flag:
    """Return a driver's option as a flag of its default's type; a secret is a file name.

    Raises DriverError for other types.
    """
    from machinectl.driver import DriverError
    from machinectl.driver.driver_options import option_flag

    many = isinstance(option.default, tuple)
    if not (many or type(option.default) in {str, int, bool}):
        raise DriverError(
            f"The driver's option --{option.name} has a default of type {type(option.default).__name__}",
            Hint("A driver's options are str, int, bool or tuple: report it to the driver's author"),
        )
    secret = f" In a file{f', else in ${option.variable}' if option.variable else ''}." if option.secret else ""
    metavar = "|".join(option.choices) or option.name.rpartition("-")[2].upper()
    return Flag(
        *([f"-{option.letter}"] if option.letter else []),
        option_flag(option),
        help=with_note(option.help + secret, "required" if option.required else ""),
        metavar="" if isinstance(option.default, bool) else "FILE" if option.secret else metavar,
        old=option.name if option.short else "",
        parameter=parameter_of(option),
        value=FILE if option.secret or option.path else option.choices or TEXT,
        kind=type(option.default),
        many=many,
        default=list(option.default) if isinstance(option.default, tuple) else option.default,
        # A secret's variable holds the secret, not a file name.
        variable="" if option.secret else option.variable,
        section=f"{IN_DRIVER}{driver_name}",
    )


def with_note(text: str, note: str) -> str:
    """Add a note in brackets to a sentence, before its period."""
    return f"{text.removesuffix('.')} ({note})." if note else text


def parameter_of(option: Option) -> str:
    return f"{PREFIX}{option.name.replace('-', '_')}"


def command_flags(name: str, declared: Verb, arguments: Sequence[str]) -> Sequence[Flag]:
    """Return a verb's flags with those of the driver. `arguments` are canonical."""
    if name not in WITH_DRIVER_OPTIONS:
        return declared.flags
    flags: Sequence[Flag] = sys.modules[declared.module].flags_with_driver(arguments, declared)
    return flags
