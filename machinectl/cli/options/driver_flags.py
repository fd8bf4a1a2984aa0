"""A driver's options on the command line, where they are typed as any others: of `create`, and of `set`."""

from __future__ import annotations

import copy
import os
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from machinectl.cli.options.help_format import DRIVER
from machinectl.cli.options.login_options import secret
from machinectl.cli.options.typer_verbs import keyword, parted_by_commas, python_word
from machinectl.driver import DriverError
from machinectl.driver.options import check, complete, typed

if TYPE_CHECKING:
    import inspect
    from collections.abc import Sequence

    from machinectl.console import Console
    from machinectl.driver import Option, OptionValue

# How they begin among the parameters of a verb.
PREFIX = "driver_option_"


def parameter(driver_name: str, option: Option) -> inspect.Parameter:
    """A driver's option as Typer takes it: its type is that of its default; a secret is in a file that is named."""
    kind: Any = {str: str, int: int, bool: bool, tuple: list[str]}.get(type(option.default))
    if kind is None:
        raise DriverError(
            f"The driver's option --{option.name} has a default of type {type(option.default).__name__}",
            "A driver's options are str, int, bool or tuple: tell who made it",
        )
    metavar = None if kind is bool else option.name.rpartition("-")[2].upper()
    if option.choices:
        metavar = "|".join(option.choices)
    declaration = typer.Option(
        typed(option),
        help=help_of(option),
        rich_help_panel=f"{DRIVER}{driver_name}",
        metavar="FILE" if option.secret else metavar,
        # A secret's variable holds the secret itself, not the name of its file.
        envvar=None if option.secret else option.variable or None,
        callback=parted_by_commas if isinstance(option.default, tuple) else None,
    )
    default: Any = list(option.default) if isinstance(option.default, tuple) else option.default
    return keyword(python_name(option), Annotated[kind, declaration], default)


def changed(driver_name: str, option: Option) -> inspect.Parameter:
    """The same for a machine that is there: nothing is changed that was not typed."""
    made = parameter(driver_name, option)
    kind, *_ = get_args(made.annotation)
    declaration = copy.copy(made.annotation.__metadata__[0])
    declaration.envvar, declaration.help = None, option.help
    return keyword(made.name, Annotated[kind | None, declaration], None)


def changed_values(driver_name: str, options: Sequence[Option], given: dict[str, Any]) -> dict[str, OptionValue]:
    """What was typed of `changed`, taken out of all that was given. Raises UsageError for what is no choice."""
    found: dict[str, OptionValue] = {}
    for option in options:
        value = given.pop(python_name(option), None)
        if value is not None and value != []:
            found[option.name] = tuple(value) if isinstance(value, list) else value
            check(driver_name, option, found[option.name])
    return found


def help_of(option: Option) -> str:
    text = option.help
    if option.secret:
        text += f" In a file{f', else in ${option.variable}' if option.variable else ''}."
    return f"{text} [required]" if option.required else text


def values(
    driver_name: str, options: Sequence[Option], given: dict[str, Any], console: Console
) -> dict[str, OptionValue]:
    """What was typed, as the contract has it. Raises UsageError where a value is missing or is none of the choices."""
    found: dict[str, OptionValue] = {}
    for option in options:
        value = given[python_name(option)]
        if option.secret:
            value = secret(value, typed(option), os.environ.get(option.variable), console) or ""
        found[option.name] = tuple(value) if isinstance(value, list) else value
    return complete(driver_name, options, found)


def python_name(option: Option) -> str:
    return f"{PREFIX}{python_word(option.name)}"
