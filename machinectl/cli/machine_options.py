"""Read the driver and engine options of `create` and `set`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from machinectl import url as engine_url
from machinectl.cli.parsing.command_line import parameter_of, typed_name
from machinectl.cli.run_verb import read_login_secret
from machinectl.driver.driver_options import check_option, complete_options, option_flag, split_location
from machinectl.errors import NO_HINT, Hint, UsageError
from machinectl.files.user_files import is_exposed
from machinectl.machines.create_options import ENGINE_FLAGS, ENV_FILE
from machinectl.machines.engine_options import EngineOptions, check_options, check_printable, each_once, read_env_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.console import Console
    from machinectl.driver import Option, OptionValue


def changed_engine_options(given: dict[str, Any]) -> dict[str, Any]:
    """Return the typed options by record key. Raises UsageError for invalid ones."""
    typed = {key: value for key, value in engine_values(given).items() if value is not None and value != []}
    check_options(filter(None, typed.get("options", ())))
    check_install_url(typed.get("install_url", ""))
    return {key: tuple(filter(None, value)) if isinstance(value, list) else value for key, value in typed.items()}


def parse_engine_options(given: dict[str, Any]) -> EngineOptions:
    """Return the options. Raises UsageError for invalid ones."""
    options = EngineOptions.load({key: value for key, value in engine_values(given).items() if value})
    options.check()
    return options


def check_install_url(url: str) -> None:
    """Raise UsageError unless it is an http or https URL, or "" for the default."""
    if url:
        flag = next(each for each in ENGINE_FLAGS if each.key == "install_url")
        engine_url.check_install_url(url, typed_name(flag, url))


def engine_values(given: dict[str, Any]) -> dict[str, Any]:
    values = {option.key: given[option.parameter] for option in ENGINE_FLAGS}
    if variables := merge_variables(given[ENV_FILE.parameter] or [], values["env"] or ()):
        values["env"] = variables
    return values


def merge_variables(files: Sequence[str], typed: Sequence[str]) -> list[str]:
    """Merge variables; typed ones override files, as with docker."""
    found = [variable for path in files for variable in read_env_file(path, os.environ)]
    return list(each_once([*found, *typed]))


def warn_of_open_files(given: dict[str, Any], console: Console) -> None:
    """Warn of env files that others can read: they may hold passwords."""
    for path in given[ENV_FILE.parameter] or []:
        if is_exposed(path):
            console.warn(f"{path} can be read by others", Hint("If it holds a password", "chmod 600", path))


def parse_labels(given: Sequence[str], machine: str = "") -> dict[str, str]:
    """Parse KEY=VALUE labels. Of `machine`, a label can be removed. Raises UsageError without a key or value."""
    check_printable("--label", given)
    found = {}
    for label in given:
        key, equals, value = label.partition("=")
        if not key.strip():
            raise UsageError(f"--label {label!r} has no key", Hint("Write --label <KEY>=<VALUE>"))
        if not equals:
            hint = Hint(f"Write --label {key}=<VALUE>")
            removal = Hint("remove it", "machinectl set --unlabel", key, machine) if machine else NO_HINT
            raise UsageError(f"The label {key} has no value", hint | removal)
        found[key] = value
    return found


def changed_driver_values(driver_name: str, options: Sequence[Option], given: dict[str, Any]) -> dict[str, OptionValue]:
    """Take typed driver options out of `given`. Raises UsageError for an invalid choice."""
    typed: dict[str, OptionValue] = {}
    for option in options:
        value = given.pop(parameter_of(option), None)
        if value is not None and value != []:
            typed[option.name] = tuple(value) if isinstance(value, list) else value
    found = split_location(driver_name, options, typed)
    for option in options:
        if option.name in found:
            check_option(driver_name, option, found[option.name])
    return found


def driver_values(
    driver_name: str, options: Sequence[Option], given: dict[str, Any], machine: str, console: Console
) -> dict[str, OptionValue]:
    """Return a driver's options. Raises UsageError for a missing or invalid value."""
    found: dict[str, OptionValue] = {}
    for option in options:
        value = given[parameter_of(option)]
        if option.secret:
            value = read_login_secret(value, option_flag(option), os.environ.get(option.variable), console) or ""
        found[option.name] = tuple(value) if isinstance(value, list) else value
    return complete_options(driver_name, options, found, machine)
