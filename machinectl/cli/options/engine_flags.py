"""What `create` and `set` are told of an engine: docker-machine's flags, ours, and those of its Swarm."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Annotated, Any

import typer

from machinectl.cli.options.help_format import ENGINE
from machinectl.cli.options.typer_verbs import keyword, parted_by_commas, python_word
from machinectl.files.secret_files import is_exposed
from machinectl.machines.create_options import ENV_FILE
from machinectl.machines.engine_options import DECLARED, EngineOptions, check_options, each_once, read_env_file

if TYPE_CHECKING:
    import inspect
    from collections.abc import Sequence

    from machinectl.console import Console
    from machinectl.machines.engine_options import Declared

SWARM_FLAGS = ("--swarm", "--swarm-master", "--swarm-experimental")
SWARM_OPTIONS = (
    "--swarm-addr",
    "--swarm-discovery",
    "--swarm-host",
    "--swarm-image",
    "--swarm-strategy",
    "--swarm-opt",
    "--swarm-join-opt",
)


def parameters() -> list[inspect.Parameter]:
    """The options, as Typer takes them."""
    return [
        *(parameter(option) for option in DECLARED),
        keyword(ENV_FILE.parameter, Annotated[list[str] | None, env_file()], None),
        *(keyword(python_word(flag), Annotated[bool, typer.Option(flag, hidden=True)], False) for flag in SWARM_FLAGS),
        *(
            keyword(python_word(flag), Annotated[list[str] | None, typer.Option(flag, hidden=True)], None)
            for flag in SWARM_OPTIONS
        ),
    ]


def parameter(option: Declared) -> inspect.Parameter:
    declaration = typer.Option(
        option.flag,
        metavar=option.metavar,
        help=option.help,
        envvar=option.variable or None,
        callback=parted_by_commas if option.many else None,
        rich_help_panel=ENGINE,
    )
    if option.many:
        return keyword(python_word(option.flag), Annotated[list[str] | None, declaration], None)
    return keyword(python_word(option.flag), Annotated[str, declaration], "")


def changes() -> list[inspect.Parameter]:
    """The same options for a machine that is there: each that is given takes the place of what was asked."""
    options = [
        keyword(python_word(option.flag), Annotated[list[str] | None, changed(option)], None)
        if option.many
        else keyword(python_word(option.flag), Annotated[str | None, changed(option)], None)
        for option in DECLARED
    ]
    return [*options, keyword(ENV_FILE.parameter, Annotated[list[str] | None, env_file()], None)]


def changed(option: Declared) -> Any:
    # A variable of the environment is for `create`: here nothing is changed that was not typed.
    return typer.Option(option.flag, metavar=option.metavar, help=option.help, rich_help_panel=ENGINE)


def changed_ones(given: dict[str, Any]) -> dict[str, Any]:
    """What was typed of `changes`, by the keys of the record. Raises UsageError for what no engine could be given."""
    values = {option.key: given[python_word(option.flag)] for option in DECLARED}
    if files := env_files(given):
        values["env"] = variables(files, values["env"] or ())
    check_options(filter(None, values["options"] or ()))
    typed = {key: value for key, value in values.items() if value is not None and value != []}
    return {key: tuple(filter(None, value)) if isinstance(value, list) else value for key, value in typed.items()}


def taken(given: dict[str, Any]) -> EngineOptions:
    """The options that were given. Raises UsageError for those that no engine could be given."""
    values = {option.key: given[python_word(option.flag)] for option in DECLARED}
    values["env"] = variables(env_files(given), values["env"] or ())
    options = EngineOptions.load({key: value for key, value in values.items() if value})
    options.check()
    check_options(options.options)
    return options


def env_file() -> Any:
    return typer.Option(
        ENV_FILE.flag,
        metavar=ENV_FILE.metavar,
        help=ENV_FILE.help,
        rich_help_panel=ENGINE,
    )


def env_files(given: dict[str, Any]) -> list[str]:
    """The files with variables of the engine's environment."""
    return given[ENV_FILE.parameter] or []


def variables(files: Sequence[str], typed: Sequence[str]) -> list[str]:
    """The engine's environment, each variable once: what was typed wins, as with docker."""
    found = [variable for path in files for variable in read_env_file(path, os.environ)]
    return list(each_once([*found, *typed]))


def warn_of_open_files(given: dict[str, Any], console: Console) -> None:
    """Say which of the files that are for passwords others can read."""
    for path in env_files(given):
        if is_exposed(path):
            console.warn(f"{path} can be read by others; if it holds a password: chmod 600 {shlex.quote(path)}")


def asks_for_swarm(given: dict[str, Any]) -> bool:
    """Whether flags of docker-machine's Swarm were given, a product that is gone: taken, so that scripts run."""
    return any(given[python_word(flag)] for flag in (*SWARM_FLAGS, *SWARM_OPTIONS))
