"""Check and complete a driver's options."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from machinectl.driver.contract import DriverError
from machinectl.errors import Hint, MachineError, UsageError, wrong_choice

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from machinectl.driver.contract import Option, OptionValue

Result = TypeVar("Result")


def option_flag(option: Option) -> str:
    return f"--{option.shown}-file" if option.secret else f"--{option.shown}"


def complete_options(
    driver: str, options: Sequence[Option], given: Mapping[str, OptionValue], machine: str = "<NAME>"
) -> dict[str, OptionValue]:
    """Return all options by name, with defaults. Raises UsageError for a missing option or a wrong choice."""
    values = {option.name: option.default for option in options} | split_location(driver, options, given)
    for option in options:
        check_option(driver, option, values[option.name], machine)
    return values


def split_location(driver: str, options: Sequence[Option], given: Mapping[str, OptionValue]) -> dict[str, OptionValue]:
    """Replace a location by the options that it gives: ops@orion by user and address.

    Raises UsageError if another value was typed for one of them.
    """
    values = dict(given)
    for option in options:
        text = given.get(option.name)
        parts = read_location(driver, option, text) if text and isinstance(text, str) else None
        for other in options if parts else ():
            typed, part = given.get(other.name, other.default), (parts or {}).get(other.name)
            if other is option or part is None or typed in {other.default, part}:
                continue
            # What is typed wins over the environment.
            if str(typed) != os.environ.get(other.variable):
                raise UsageError(
                    f"{text} and {option_flag(other)} {typed} contradict each other",
                    Hint(f"Omit {option_flag(other)}, or say the same in both"),
                )
        values.update(parts or {})
    return values


def read_location(driver: str, option: Option, text: str) -> Mapping[str, OptionValue] | None:
    """Return the options that a location gives, None if it is not one for this option.

    Raises UsageError, or DriverError if the driver fails.
    """
    found = call_of_driver(driver, option, option.locates, text) if option.locates else None
    if found is not None and not isinstance(found, Mapping):
        raise driver_failed(driver, option, type(found).__name__)
    return found


def check_option(driver: str, option: Option, value: OptionValue, machine: str = "<NAME>") -> None:
    if option.required and value in ("", ()):
        raise UsageError(
            f"Driver {driver} needs {option_flag(option)}",
            short_form(driver, option, machine)
            if option.locates
            else Hint("", "machinectl create -d", driver, "--help"),
        )
    for one in value if isinstance(value, tuple) else (value,):
        if option.choices and one not in (option.default, *option.choices):
            raise wrong_choice(option_flag(option), str(one), option.choices)
    if value != option.default:
        run_check(driver, option, value)


def short_form(driver: str, option: Option, machine: str = "<NAME>") -> Hint:
    """Return a command line of `create` for an option that says where the host is."""
    place = f"<{option.name.rpartition('-')[2].upper()}>"
    return Hint("", "machinectl create -d", driver, place, machine)


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
    if option.check:
        call_of_driver(driver, option, option.check, value)


def call_of_driver(driver: str, option: Option, function: Callable[[Any], Result], value: OptionValue) -> Result:
    """Call third-party code. Raises MachineError."""
    try:
        return function(value)
    except MachineError:
        raise
    except (Exception, SystemExit) as exc:
        raise driver_failed(driver, option, type(exc).__name__) from exc


def driver_failed(driver: str, option: Option, why: str) -> DriverError:
    return DriverError(
        f'Driver "{driver}" fails in its check of {option_flag(option)}: {why}',
        Hint("See where it comes from, and tell them", "machinectl drivers"),
    )
