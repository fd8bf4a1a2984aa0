"""Build the Typer application with only the verb that is called, and word its errors as ours."""

from __future__ import annotations

import inspect
import re
import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from machinectl.cli.catalogue import ALL, find_verb
from machinectl.cli.invocation import NAME, THIS, own_version
from machinectl.cli.output.exit_status import guarded, program_with
from machinectl.cli.output.stdout import write_out
from machinectl.cli.own_flags import BEFORE_THE_VERB
from machinectl.cli.parsing.command_line import read_number
from machinectl.cli.parsing.command_start import with_dashes
from machinectl.cli.parsing.create_forms import canonical_with_driver
from machinectl.cli.parsing.driver_flags import command_flags
from machinectl.cli.parsing.go_flags import (
    HELP_VERBS,
    canonical,
    flags_of,
    is_group,
    named_driver,
    named_store,
    split_at_verb,
    values_of_variable,
)
from machinectl.cli.parsing.suggestions import (
    check_command,
    moved_to_the_front,
    option_meant,
)
from machinectl.cli.run_verb import run_verb
from machinectl.cli.verb_session import Session, session_of
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.machines.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.cli.declared_verb import Argument
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
    arguments = canonical_with_driver(arguments)
    code = run_typer(build(arguments), arguments)
    sys.stdout.flush()
    return code


def run_typer(app: typer.Typer, arguments: list[str]) -> int:
    """Run Typer; raise its errors as ours, with the next command to type."""
    try:
        result = app(arguments, prog_name=THIS.name, standalone_mode=False)
    except typer.Abort as exc:
        raise KeyboardInterrupt from exc
    except TYPERS_USAGE_ERROR as exc:
        raise usage_error(exc, arguments) from exc
    except UsageError as exc:
        exc.hint = exc.hint or Hint("", f"{command_path(arguments)} --help")
        raise
    return result if isinstance(result, int) else 0


def verb_of(arguments: Sequence[str]) -> str:
    words = [word for word in split_at_verb(arguments)[1] if not word.startswith("-")]
    both = " ".join(words[:2])
    return both if find_verb(both) else " ".join(words[:1])


def command_path(arguments: Sequence[str]) -> str:
    """Return the command whose --help fits a command line."""
    driver = named_driver(arguments)
    return " ".join(filter(None, [NAME, verb_of(arguments), f"-d {driver}" if driver else ""]))


def usage_error(error: Any, arguments: Sequence[str]) -> MachineError:
    """Return Typer's error as ours, with docker-machine's line for extra arguments."""
    before, rest = split_at_verb(arguments)
    unknown = getattr(error, "option_name", "")
    # The verb's own option before it is in the verb's help, another in that of all.
    is_before = unknown in {word.partition("=")[0] for word in before}
    is_ours = is_before and unknown.lstrip("-") not in flags_of(verb_of(arguments))
    hint = Hint("", f"{NAME if is_ours else command_path(arguments)} --help")
    if extra := EXTRA.search(error.message):
        return UsageError(f"Invalid command line. Found extra arguments [{extra[1]}]", hint, for_scripts=True)
    if not hasattr(error, "possibilities"):
        found = UsageError(error.format_message().rstrip("."), hint)
        if type(error).__name__ == "NoArgsIsHelpError":
            found.label = ""
        return found
    # Each option, and whether it takes a value.
    options = {
        name: not getattr(parameter, "is_flag", True)
        for parameter in error.ctx.command.params
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    if rest[:1] == ["create"] and not named_driver(arguments):
        from machinectl.cli.parsing.create_forms import flags_of_drivers

        options |= {flag.flag: bool(flag.metavar) for flag in flags_of_drivers()}
    # -v is --verbose or --volumes elsewhere.
    long, _ = flags_of("").get(unknown.lstrip("-"), ("", False))
    if f"--{long}" == unknown or (long not in {"", "version"} and unknown in THIS.typed):
        return UsageError(error.message, Hint("It goes before the verb", moved_to_the_front(THIS.typed, unknown)))
    return UsageError(error.message, option_meant(unknown, options) or hint)


def build(arguments: Sequence[str]) -> typer.Typer:
    """Add only the called verb: the others take time to load."""
    app = new_app(invoke_without_command=True)

    def before_the_verb(ctx: typer.Context, **given: Any) -> None:
        if given["show_version"]:
            write_out(f"{own_version()}\n")
            raise typer.Exit
        ctx.obj = session_of(given, arguments)

    before_the_verb.__signature__ = signature((), BEFORE_THE_VERB)  # type: ignore[attr-defined]
    app.callback()(before_the_verb)
    _, rest = split_at_verb(arguments)
    if rest:
        add_verb(app, rest[0], arguments)
    return app


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
