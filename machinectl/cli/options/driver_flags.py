"""Read the driver options of `create` and `set`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from machinectl.cli.declarations.driver_option import parameter_of
from machinectl.cli.options.login_options import read_login_secret
from machinectl.driver.options import check_option, complete_options, option_flag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.console import Console
    from machinectl.driver import Option, OptionValue


def changed_driver_values(driver_name: str, options: Sequence[Option], given: dict[str, Any]) -> dict[str, OptionValue]:
    """Take typed driver options out of `given`. Raises UsageError for an invalid choice."""
    found: dict[str, OptionValue] = {}
    for option in options:
        value = given.pop(parameter_of(option), None)
        if value is not None and value != []:
            found[option.name] = tuple(value) if isinstance(value, list) else value
            check_option(driver_name, option, found[option.name])
    return found


def driver_values(
    driver_name: str, options: Sequence[Option], given: dict[str, Any], console: Console
) -> dict[str, OptionValue]:
    """Return a driver's options. Raises UsageError for a missing or invalid value."""
    found: dict[str, OptionValue] = {}
    for option in options:
        value = given[parameter_of(option)]
        if option.secret:
            value = read_login_secret(value, option_flag(option), os.environ.get(option.variable), console) or ""
        found[option.name] = tuple(value) if isinstance(value, list) else value
    return complete_options(driver_name, options, found)
