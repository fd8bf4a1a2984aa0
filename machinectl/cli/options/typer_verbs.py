"""How a command function becomes a verb of the command line: its options, the store, and its exit code."""

from __future__ import annotations

import functools
import inspect
import math
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar

import typer

import machinectl
from machinectl import __version__
from machinectl.cli.catalogue import GROUPS, PRINTING, RELAYING, VERBS
from machinectl.cli.options.help_format import HelpedCommand, HelpedGroup
from machinectl.cli.options.store_followers import Following
from machinectl.cli.output.exit_status import guarded
from machinectl.cli.output.help_overview import width
from machinectl.cli.output.stdio import PRINTS, RELAYS, WORKS, is_for
from machinectl.cli.output.terminal import Terminal
from machinectl.cli.parsing.go_flags import listed
from machinectl.errors import UsageError
from machinectl.machines.selection import matching, selected
from machinectl.machines.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

OWN_DIRECTORY = os.path.dirname(machinectl.__file__)
Function = TypeVar("Function", bound="Callable[..., int | None]")

Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]…", show_default=False)]
OneName = Annotated[list[str] | None, typer.Argument(metavar="[NAME]", show_default=False)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Look at the host, print what would be done, and do nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def selecting(*flags: str) -> Any:
    return typer.Option(
        *flags, metavar="SELECTOR", help="Those whose labels are so: role=web, role!=web, 'role in (a,b)'."
    )


Selecting = Annotated[str | None, selecting("-l", "--selector")]
# Of a verb that has another -l.
SelectingAtLength = Annotated[str | None, selecting("--selector")]


def seconds(given: float) -> float:
    """A number of seconds; Typer's bounds let through what is no number."""
    if math.isnan(given):
        raise typer.BadParameter("nan is not a number of seconds.")
    return given


# A day: longer than anybody waits, and still a time that the operating system's clocks can hold.
Timeout = Annotated[
    float,
    typer.Option(
        "-t",
        "--timeout",
        min=0,
        max=86400,
        callback=seconds,
        metavar="SECONDS",
        help="How long a host may take to answer.",
    ),
]


class GivenTLS(NamedTuple):
    """The files of docker-machine's --tls-… options, "" where one was not given."""

    ca: str = ""
    ca_key: str = ""
    certificate: str = ""
    key: str = ""


@dataclass(frozen=True)
class Session:
    """What stands before the verb: the store, and docker-machine's options for its certificates and its SSH."""

    store: Store
    following: Following
    console: Terminal
    # How this program was called, as far as the store goes: for commands that are suggested.
    program: str
    tls: GivenTLS
    native_ssh: bool = False
    # Those that the environment held, by their variables.
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)


def new_app(**settings: Any) -> typer.Typer:
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": width()},
        cls=HelpedGroup,
        **settings,
    )


def verb(app: typer.Typer, name: str, more: str = "", **settings: Any) -> Callable[[Function], Function]:
    """Register a function as a verb; its errors end in their exit codes inside it, before Typer sees them.

    The catalogue says what it is for, `more` what else its help says. A verb of a group is named
    with the group's in front: `certs ls`.
    """
    group, _, last = name.rpartition(" ")
    known = (GROUPS[group] if group else VERBS)[last]

    def register(function: Function) -> Function:
        evaluate(function)

        @functools.wraps(function)
        def run(ctx: typer.Context, *given: Any, **options: Any) -> None:
            here = session(ctx)
            is_for(purpose(name, options))
            if not options.get("dry_run"):
                here.following.catch_up(here.store)
            code = guarded(lambda: function(ctx, *given, **options), program=here.program)
            here.following.report(here.console.warn)
            raise typer.Exit(code)

        app.command(
            last,
            cls=HelpedCommand,
            **{
                "help": f"{known.summary} {more}".strip(),
                "short_help": known.summary,
                "epilog": "\n".join(known.examples),
                "hidden": not known.section,
                **settings,
            },
        )(run)
        return function

    return register


def purpose(name: str, options: Mapping[str, Any]) -> str:
    """Return what a verb does with these options; see `stdio.is_for`."""
    if name in RELAYING:
        return RELAYS
    if name in PRINTING:
        return WORKS if options.get("write") or options.get("output") else PRINTS
    return PRINTS if options.get("dry_run") else WORKS


def evaluate(function: Callable[..., Any]) -> None:
    """Have a function's annotations as values: Typer evaluates texts, twice, which takes milliseconds."""
    function.__annotations__ = inspect.get_annotations(function, eval_str=True)


def session(ctx: typer.Context) -> Session:
    found = ctx.obj
    if not isinstance(found, Session):
        raise TypeError("a verb ran without the options that stand before it")
    return found


def keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    """An option that is made at run time, as a parameter of the function whose signature Typer reads."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


def parted_by_commas(ctx: typer.Context, param: typer.CallbackParam, value: list[str] | None) -> list[str] | None:
    """What a variable holds for an option that may be repeated, where it was not typed: Typer parts it at blanks."""
    source = ctx.get_parameter_source(str(param.name))
    return listed(str(param.envvar)) if source and source.name == "ENVIRONMENT" else value


def labels(given: Sequence[str], option: str) -> dict[str, str]:
    """Labels as they are typed, KEY=VALUE; a key alone has an empty value."""
    found = {}
    for label in given:
        key, _, value = label.partition("=")
        if not key.strip():
            raise UsageError(f"{option} {label!r} has no key", f"{option} KEY=VALUE")
        found[key] = value
    return found


def python_word(flag: str) -> str:
    return flag.lstrip("-").replace("-", "_")


def with_selector(function: Callable[..., int | None], *, short: bool = True) -> Callable[..., int | None]:
    """Give a verb about many machines `--selector`; the function gets the names of those selected as its `names`.

    `short` is whether it has `-l`, too, which is another flag of some verbs.
    """
    evaluate(function)
    own = inspect.signature(function)

    @functools.wraps(function)
    def run(ctx: typer.Context, *given: Any, **options: Any) -> int | None:
        selector, names = options.pop("selector"), options["names"] or []
        if selector is not None:
            here = session(ctx)
            options["names"] = selected(here.store, here.console, names, selector)
        elif names:
            options["names"] = matching(names, session(ctx).store.names)
        return function(ctx, *given, **options)

    # Typer reads a function's parameters here.
    option = keyword("selector", Selecting if short else SelectingAtLength, None)
    run.__signature__ = own.replace(parameters=[*own.parameters.values(), option])  # type: ignore[attr-defined]
    return run


def own_version() -> str:
    """Which program answers: systemd has a machinectl too, whose first line starts with `systemd`."""
    return f"machinectl version {__version__} (Docker hosts; {OWN_DIRECTORY})"
