"""Check and complete a driver's options."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from machinectl.driver.contract import DriverError
from machinectl.errors import MachineError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machinectl.driver.contract import Option, OptionValue


def option_flag(option: Option) -> str:
    return f"--{option.name}-file" if option.secret else f"--{option.name}"


def complete_options(
    driver: str, options: Sequence[Option], given: Mapping[str, OptionValue]
) -> dict[str, OptionValue]:
    """Return all options by name, with defaults. Raises UsageError for a missing option or a wrong choice."""
    values = {option.name: given.get(option.name, option.default) for option in options}
    for option in options:
        check_option(driver, option, values[option.name])
    return values


def check_option(driver: str, option: Option, value: OptionValue) -> None:
    if option.required and value in ("", ()):
        raise UsageError(f"Error: Driver {driver} needs {option_flag(option)}", f"machinectl create -d {driver} --help")
    for one in value if isinstance(value, tuple) else (value,):
        if option.choices and one not in (option.default, *option.choices):
            raise UsageError(
                f"Error: {option_flag(option)} {one!r} is none of its choices",
                f"Choose one of: {', '.join(option.choices)}",
            )
    if value != option.default:
        run_check(driver, option, value)


def absolute_paths(options: Sequence[Option], values: Mapping[str, OptionValue]) -> dict[str, OptionValue]:
    """Make paths absolute, for the record."""
    paths = {option.name for option in options if option.path}
    return {name: absolute(value) if name in paths else value for name, value in values.items()}


def absolute(value: OptionValue) -> OptionValue:
    if isinstance(value, tuple):
        return tuple(str(absolute(each)) for each in value)
    return os.path.abspath(os.path.expanduser(value)) if value and isinstance(value, str) else value


def run_check(driver: str, option: Option, value: OptionValue) -> None:
    """Call an option's check. Raises UsageError, or DriverError if the check fails."""
    try:
        if option.check:
            option.check(value)
    except MachineError:
        raise
    except Exception as exc:
        # The check is third-party code.
        raise DriverError(
            f'Driver "{driver}" fails in its check of {option_flag(option)}: {type(exc).__name__}',
            "See where it comes from, and tell them: machinectl drivers",
        ) from exc
