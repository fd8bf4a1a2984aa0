"""Let Typer read what the small parser refuses: it words the errors, which get the next command to type."""

from __future__ import annotations

import inspect
import re
import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from machinectl.cli.catalogue import BEFORE_THE_VERB, find_verb
from machinectl.cli.invocation import NAME, THIS, own_version
from machinectl.cli.output.exit_status import guarded, program_with
from machinectl.cli.output.stdout import write_out
from machinectl.cli.parsing.command_line import command_flags, read_number, with_dashes
from machinectl.cli.parsing.create_forms import canonical_with_driver
from machinectl.cli.parsing.go_flags import (
    HELP_VERBS,
    canonical,
    flags_of,
    named_driver,
    named_store,
    split_at_verb,
    take_verb,
    values_of_variable,
)
from machinectl.cli.parsing.suggestions import check_command, moved_to_the_front, option_meant
from machinectl.cli.run_verb import run_verb
from machinectl.cli.verb_session import session_of
from machinectl.errors import Hint, UsageError
from machinectl.machines.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from machinectl.cli.catalogue import Argument
    from machinectl.machines.flags import Flag


EXTRA = re.compile(r"unexpected extra argument(?:\(s\)|s)? \((.*)\)", re.DOTALL)
# The base class of Typer's usage errors, which Typer does not export: BadParameter inherits from it.
TYPERS_USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]


def run_with_typer(arguments: list[str]) -> int:
    return guarded(lambda: dispatch(arguments), program=program_with(named_store(canonical(arguments))))


def dispatch(arguments: list[str]) -> int:
    THIS.typed = arguments = with_dashes(arguments)
    before, rest = split_at_verb(canonical(arguments))
    # Help for an unknown verb: the others have printed theirs.
    check_command(before, [word for word in rest if word not in HELP_VERBS], Store(named_store(before)))
    words = canonical_with_driver(arguments)
    before, rest = split_at_verb(words)
    options = read_by_typer("", before, words)
    if options["show_version"]:
        write_out(f"{own_version()}\n")
        return 0
    name, rest = take_verb(rest)
    declared = find_verb(name)
    if declared is None or not declared.runs:
        group, _, option = name.partition(" ")
        raise UsageError(f"No such option: {option}", Hint("", f"{NAME} {group} --help"))
    given = read_by_typer(name, rest, words)
    code = run_verb(session_of(options, words), declared, given)
    sys.stdout.flush()
    return code


def read_by_typer(name: str, typed: Sequence[str], words: Sequence[str]) -> dict[str, Any]:
    """Return the values of a verb's flags and arguments, or of the flags before it if `name` is "".

    `words` are the whole command line, which may name a driver. Raises UsageError.
    """
    given: dict[str, Any] = {}
    try:
        build(name, words, given.update)(typed, prog_name=THIS.name, standalone_mode=False)
    except TYPERS_USAGE_ERROR as exc:
        raise usage_error(exc, name, words) from exc
    except UsageError as exc:
        exc.hint = exc.hint or help_of(name, words)
        raise
    return given


def help_of(name: str, words: Sequence[str]) -> Hint:
    driver = named_driver(words) if name else ""
    return Hint("", " ".join(filter(None, [NAME, name, f"-d {driver}" if driver else "", "--help"])))


def usage_error(error: Any, name: str, words: Sequence[str]) -> UsageError:
    """Return Typer's error as ours, with docker-machine's line for extra arguments."""
    if extra := EXTRA.search(error.message):
        cause = f"Invalid command line. Found extra arguments [{extra[1]}]"
        return UsageError(cause, help_of(name, words), for_scripts=True)
    if not hasattr(error, "possibilities"):
        return UsageError(error.format_message().rstrip("."), help_of(name, words))
    unknown = error.option_name
    # Each option, and whether it takes a value.
    options = {
        option: not getattr(parameter, "is_flag", True)
        for parameter in error.ctx.command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    if name == "create" and not named_driver(words):
        from machinectl.cli.parsing.create_forms import flags_of_drivers

        options |= {flag.flag: bool(flag.metavar) for flag in flags_of_drivers()}
    # -v is --verbose or --volumes elsewhere.
    long, _ = flags_of("").get(unknown.lstrip("-"), ("", False))
    if name and (f"--{long}" == unknown or (long not in {"", "version"} and unknown in THIS.typed)):
        return UsageError(error.message, Hint("It goes before the verb", moved_to_the_front(THIS.typed, unknown)))
    # The verb's own option before it is in the verb's help.
    verb, _ = take_verb(split_at_verb(words)[1])
    page = verb if not name and unknown.lstrip("-") in flags_of(verb) else name
    return UsageError(error.message, option_meant(unknown, options) or help_of(page, words))


def build(name: str, words: Sequence[str], take: Callable[[dict[str, Any]], None]) -> typer.Typer:
    """Return an application of one verb, or of the flags before it, which takes the values that are typed."""
    declared = find_verb(name)
    flags = command_flags(name, declared, words) if declared else BEFORE_THE_VERB
    # What asks for help was answered before.
    settings: dict[str, Any] = {"help_option_names": []}
    if declared and declared.passes_on:
        # Words after the name pass through unchanged; the command rejects unknown options before it.
        settings |= {"allow_interspersed_args": False, "ignore_unknown_options": True}

    def run(ctx: typer.Context, **given: Any) -> None:
        take(given)

    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    arguments = map(argument_parameter, declared.arguments if declared else ())
    run.__signature__ = inspect.Signature([context, *arguments, *map(flag_parameter, flags)])  # type: ignore[attr-defined]
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(context_settings=settings)(run)
    return app


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
        parser=partial(read_number, flag) if flag.metavar and flag.kind in {int, float} else None,
        callback=parted_by_commas if flag.many and flag.variable else None,
    )
    kind: Any = list[str] if flag.many else flag.kind if flag.metavar else bool
    default = inspect.Parameter.empty if flag.required else flag.default
    if flag.many and not flag.required:
        default = flag.default or None
    return keyword(flag.parameter, kind, option, default)


def parted_by_commas(ctx: typer.Context, param: typer.CallbackParam, value: list[str] | None) -> list[str] | None:
    """Split a repeatable option's variable at commas: Typer splits at spaces."""
    source = ctx.get_parameter_source(str(param.name))
    return values_of_variable(str(param.envvar)) if source and source.name == "ENVIRONMENT" else value
