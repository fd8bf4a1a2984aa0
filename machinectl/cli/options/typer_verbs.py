"""Turn declared verbs into Typer commands."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any

import typer

from machinectl.cli.catalogue import ALL
from machinectl.cli.options.driver_flags import command_flags
from machinectl.cli.options.run_verb import run_verb
from machinectl.cli.options.verb_session import Session
from machinectl.cli.parsing.flag_values import read_number
from machinectl.cli.parsing.go_flags import is_group, split_at_verb, values_of_variable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from machinectl.cli.declared_verb import Argument
    from machinectl.machines.flags import Flag


def new_app(**settings: Any) -> typer.Typer:
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        # `help_request` answers what asks for help.
        context_settings={"help_option_names": []},
        **settings,
    )


def add_verb(app: typer.Typer, name: str, arguments: Sequence[str]) -> None:
    """Add a verb. Of a group, add only the verb that the canonical `arguments` call, or all if they call none."""
    declared = ALL[name]
    called = following(name, arguments)
    if is_group(name, called):
        group = new_app()
        for own in [called] if called in declared.verbs else declared.verbs:
            add_verb(group, f"{name} {own}", arguments)
        app.add_typer(group, name=name)
        return
    flags, settings = command_flags(name, declared, arguments)
    if declared.passes_on:
        # Words after the name pass through unchanged; the command rejects unknown options before it.
        settings = {"context_settings": {"allow_interspersed_args": False, "ignore_unknown_options": True}}

    def run(ctx: typer.Context, **given: Any) -> None:
        if not isinstance(ctx.obj, Session):
            raise TypeError("a verb ran without the options that stand before it")
        raise typer.Exit(run_verb(ctx.obj, declared, given))

    run.__signature__ = signature(declared.arguments, flags)  # type: ignore[attr-defined]
    app.command(name.rpartition(" ")[2], **settings)(run)


def following(verb: str, arguments: Sequence[str]) -> str:
    """Return the word after a verb, or ""."""
    _, words = split_at_verb(arguments)
    return " ".join(words[1:2]) if words[:1] == [verb] else ""


def signature(arguments: Sequence[Argument], flags: Sequence[Flag]) -> inspect.Signature:
    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    return inspect.Signature([context, *map(argument_parameter, arguments), *map(flag_parameter, flags)])


def keyword(name: str, kind: Any, option: Any, default: Any) -> inspect.Parameter:
    optional: Any = kind | None if default is None else kind
    where = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, where, annotation=Annotated[optional, option], default=default)


def argument_parameter(declared: Argument) -> inspect.Parameter:
    option = typer.Argument(metavar=declared.metavar)
    default = inspect.Parameter.empty if declared.required else None if declared.many else ""
    return keyword(declared.parameter, list[str] if declared.many else str, option, default)


def flag_parameter(flag: Flag) -> inspect.Parameter:
    option = typer.Option(
        *(f"{name}/{flag.off}" if flag.off and name == flag.flag else name for name in flag.names),
        metavar=flag.metavar or None,
        # A secret's variable holds the secret, not a file name.
        envvar=None if flag.secret else flag.variable or None,
        parser=number_parser(flag) if flag.metavar and flag.kind in {int, float} else None,
        callback=parted_by_commas if flag.many and flag.variable else None,
    )
    kind: Any = list[str] if flag.many else flag.kind if flag.metavar else bool
    default = inspect.Parameter.empty if flag.required else flag.default
    if flag.many and not flag.required:
        default = flag.default or None
    return keyword(flag.parameter, kind, option, default)


def number_parser(flag: Flag) -> Callable[[str], Any]:
    def parse(given: str) -> Any:
        return read_number(flag, given)

    return parse


def parted_by_commas(ctx: typer.Context, param: typer.CallbackParam, value: list[str] | None) -> list[str] | None:
    """Split a repeatable option's variable at commas: Typer splits at spaces."""
    source = ctx.get_parameter_source(str(param.name))
    return values_of_variable(str(param.envvar)) if source and source.name == "ENVIRONMENT" else value
