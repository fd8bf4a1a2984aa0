"""Declare a driver's option as a flag of `create`."""

from __future__ import annotations

from machinectl.cli.option_help import with_note
from machinectl.errors import Hint
from machinectl.machines.flags import FILE, TEXT, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
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
    metavar = "|".join(option.choices) or option.name.rpartition("-")[2].upper()
    return Flag(
        *([f"-{option.letter}"] if option.letter else []),
        option_flag(option),
        help=driver_option_help(option),
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


def driver_option_help(option: Option) -> str:
    text = option.help
    if option.secret:
        text += f" In a file{f', else in ${option.variable}' if option.variable else ''}."
    return with_note(text, "required") if option.required else text


def parameter_of(option: Option) -> str:
    return f"{PREFIX}{option.name.replace('-', '_')}"
