"""What `create` is told of an engine that is to be set up: docker-machine's flags, ours, and those of its Swarm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from machinectl.cli.verbs import keyword, python_word
from machinectl.machines.engine_options import DECLARED, EngineOptions

if TYPE_CHECKING:
    import inspect

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
TAKE_VALUES = frozenset(option.flag for option in DECLARED) | frozenset(SWARM_OPTIONS)


def parameters() -> list[inspect.Parameter]:
    """The options, as Typer takes them."""
    return [
        *(parameter(option) for option in DECLARED),
        *(keyword(python_word(flag), Annotated[bool, typer.Option(flag, hidden=True)], False) for flag in SWARM_FLAGS),
        *(
            keyword(python_word(flag), Annotated[list[str] | None, typer.Option(flag, hidden=True)], None)
            for flag in SWARM_OPTIONS
        ),
    ]


def parameter(option: Declared) -> inspect.Parameter:
    declaration = typer.Option(option.flag, metavar=option.metavar, help=option.help, envvar=option.variable or None)
    if option.many:
        return keyword(python_word(option.flag), Annotated[list[str] | None, declaration], None)
    return keyword(python_word(option.flag), Annotated[str, declaration], "")


def taken(given: dict[str, Any]) -> EngineOptions:
    """The options that were given. Raises UsageError for those that no engine could be given."""
    values = {option.key: given[python_word(option.flag)] for option in DECLARED}
    options = EngineOptions.load({key: value for key, value in values.items() if value})
    options.check()
    return options


def asks_for_swarm(given: dict[str, Any]) -> bool:
    """Whether flags of docker-machine's Swarm were given, a product that is gone: taken, so that scripts run."""
    return any(given[python_word(flag)] for flag in (*SWARM_FLAGS, *SWARM_OPTIONS))
