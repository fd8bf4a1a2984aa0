"""The command line as Typer knows it: the one verb that is asked for, its options and what it prints."""

from __future__ import annotations

import importlib
import os
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any

import typer

from machinectl.cli.catalogue import ABOUT, GROUPS, VERBS, Verb
from machinectl.cli.invocation import NAME, THIS, is_true
from machinectl.cli.options.store_followers import Following
from machinectl.cli.options.typer_verbs import GivenTLS, Session, evaluate, new_app, own_version
from machinectl.cli.output.exit_status import guarded, program_with
from machinectl.cli.output.help_overview import overview
from machinectl.cli.output.stdout import write_out
from machinectl.cli.output.terminal import Terminal
from machinectl.cli.parsing.go_flags import canonical, flags_of
from machinectl.cli.parsing.lookahead import SYSTEMDS_VERBS, named_driver, named_machine, named_store, split_at_verb
from machinectl.errors import MachineError, UsageError, closest_match
from machinectl.machines.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from machinectl.driver import Option

# Verbs that are followed by two dashes and a command, with an example of one.
ORDERS = {"run": "uptime", "docker": "ps"}
# What all of Typer's own errors about a command line are; it exports this one kind of them.
TYPERS_USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]


def run(arguments: list[str]) -> int:
    """Run a whole command line and return its exit code."""
    return guarded(lambda: dispatch(arguments))


def dispatch(arguments: list[str]) -> int:
    before, rest = split_at_verb(canonical(arguments))
    if rest[:1] in (["help"], ["h"]):
        arguments = [*before, *(word for word in rest if word not in {"help", "h"}), "--help"]
        before, rest = split_at_verb(canonical(arguments))
    if len(rest) == 1 and rest[0] in GROUPS:
        arguments = [*before, *rest, "--help"]
    if not rest and "--help" in before:
        write_out(overview())
        return 0
    check_verb(rest)
    arguments = canonical(arguments, driver_flags(canonical(arguments)))
    code = run_typer(build(arguments), arguments)
    sys.stdout.flush()
    return code


def driver_flags(arguments: Sequence[str]) -> dict[str, bool]:
    """The flags that a verb has of the driver that it is about, each with whether a value follows it."""
    _, rest = split_at_verb(arguments)
    options: Iterable[Option] = ()
    if rest[:1] == ["create"] and (name := named_driver(arguments)):
        from machinectl.driver.installed_drivers import load

        options = load(name).options()
    elif rest[:1] == ["set"]:
        from machinectl.cli.verbs.manage.set import changeable

        _, options = changeable(arguments)
    else:
        return {}
    from machinectl.driver.options import typed

    return {typed(option).removeprefix("--"): not isinstance(option.default, bool) for option in options}


def check_verb(words: Sequence[str]) -> None:
    """Refuse a verb that there is not. Raises UsageError, with the one that was meant."""
    if words and words[0] in SYSTEMDS_VERBS and THIS.name == NAME:
        raise UsageError(
            f"'{words[0]}' is a command of systemd's machinectl, not of this one", f"/usr/bin/machinectl {words[0]} …"
        )
    if words and words[0] not in VERBS:
        raise no_such_command(words[0], THIS.name, visible(VERBS))
    own = GROUPS.get(words[0]) if len(words) > 1 and not words[1].startswith("-") else None
    if own and words[1] not in own:
        raise no_such_command(words[1], f"{THIS.name} {words[0]}", visible(own))


def visible(verbs: dict[str, Verb]) -> Iterable[str]:
    return (name for name, verb in verbs.items() if verb.section)


def no_such_command(word: str, program: str, known: Iterable[str]) -> UsageError:
    near = closest_match(word, known)
    return UsageError(
        f"Error: No such command '{word}'.",
        f"Did you mean: {program} {near}" if near else f"See those there are: {program} --help",
    )


def run_typer(app: typer.Typer, arguments: list[str]) -> int:
    """Run Typer's command line; what it finds wrong is told in our form: the cause, and the next command to type."""
    try:
        result = app(arguments, prog_name=THIS.name, standalone_mode=False)
    except typer.Abort as exc:
        raise KeyboardInterrupt from exc
    except TYPERS_USAGE_ERROR as exc:
        raise told(exc, arguments) from exc
    return result if isinstance(result, int) else 0


def told(error: Any, arguments: Sequence[str]) -> MachineError:
    """What Typer found wrong on the command line, as our own error."""
    _, rest = split_at_verb(arguments)
    path = error.ctx.command_path if error.ctx else " ".join([THIS.name, *rest[:1]])
    if error.ctx and error.format_message() == error.ctx.get_help():
        return UsageError(error.format_message())
    if path == f"{THIS.name} create":
        driver = named_driver(arguments)
        path = f"{path} -d {driver}" if driver else path
    help_of_it = f"{path} --help"
    unknown = getattr(error, "option_name", "")
    if not hasattr(error, "possibilities"):
        return UsageError(f"Error: {error.format_message()}", help_of_it)
    options = [name for parameter in error.ctx.command.params for name in (*parameter.opts, *parameter.secondary_opts)]
    if unknown.removeprefix("--") in flags_of(""):
        return UsageError(f"Error: {error.message}", f"It goes before the verb: {THIS.name} {unknown} {rest[0]}")
    if (order := ORDERS.get("".join(rest[:1]))) and "--" not in rest:
        # The unknown option is surely the command's.
        return UsageError(f"What {path} is to do follows two dashes", f"{path} <NAME> -- {order}")
    if rest[:1] == ["set"]:
        # Which options it has depends on the machine.
        store = Store(named_store(arguments))
        name = named_machine(arguments, store.exists)
        # A word behind an unknown option may be its value.
        words = [word for before, word in pairwise(rest) if not word.startswith("-") and not before.startswith("--")]
        if words and not name:
            return store.no_such(words[-1])
        help_of_it = f"{path} --help {name or '<NAME>'}"
    # Drivers' options begin with the driver's name.
    of_driver = [name for name in options if unknown.startswith("--") and name.endswith(unknown[1:])]
    near = next(iter(of_driver), "") or closest_match(unknown, (name for name in options if name.startswith("--")))
    return UsageError(f"Error: {error.message}", f"Did you mean {near}? See: {help_of_it}" if near else help_of_it)


def build(arguments: Sequence[str]) -> typer.Typer:
    """The application with no more than the verb that a canonical command line asks for: each pays for itself."""
    app = new_app(help=ABOUT, invoke_without_command=True)
    evaluate(before_the_verb)
    app.callback()(before_the_verb)
    _, rest = split_at_verb(arguments)
    if rest:
        family = importlib.import_module(f"machinectl.cli.verbs.{VERBS[rest[0]].family}")
        family.add(app, arguments)
        app.registered_commands = [each for each in app.registered_commands if each.name == rest[0]]
    return app


def before_the_verb(
    ctx: typer.Context,
    storage_path: Annotated[
        str,
        typer.Option(
            "-s", "--storage-path", metavar="DIR", help="Where machines are kept (else $MACHINE_STORAGE_PATH)."
        ),
    ] = "",
    debug: Annotated[bool, typer.Option("-D", "--debug")] = False,
    native_ssh: Annotated[bool, typer.Option("--native-ssh", hidden=True)] = False,
    # For docker-machine's scripts: nothing is fetched from GitHub, and nobody is told of crashes.
    github_api_token: Annotated[str, typer.Option(hidden=True)] = "",
    bugsnag_api_token: Annotated[str, typer.Option(hidden=True)] = "",
    tls_ca_cert: Annotated[str, typer.Option(envvar="MACHINE_TLS_CA_CERT", hidden=True)] = "",
    tls_ca_key: Annotated[str, typer.Option(envvar="MACHINE_TLS_CA_KEY", hidden=True)] = "",
    tls_client_cert: Annotated[str, typer.Option(envvar="MACHINE_TLS_CLIENT_CERT", hidden=True)] = "",
    tls_client_key: Annotated[str, typer.Option(envvar="MACHINE_TLS_CLIENT_KEY", hidden=True)] = "",
    show_version: Annotated[
        bool, typer.Option("-v", "--version", help="Print the version.", is_eager=True, callback=print_own_version)
    ] = False,
) -> None:
    if ctx.invoked_subcommand is None:
        write_out(overview())
        return
    if debug:
        os.environ["MACHINE_DEBUG"] = "1"
    program = program_with(storage_path)
    following = Following()
    ctx.obj = Session(
        store=Store(storage_path, [following], following.said.append),
        following=following,
        console=Terminal(program),
        program=program,
        tls=GivenTLS(tls_ca_cert, tls_ca_key, tls_client_cert, tls_client_key),
        native_ssh=native_ssh or is_true(os.environ.get("MACHINE_NATIVE_SSH", "")),
        passwords=THIS.passwords,
    )


def print_own_version(asked: bool) -> None:
    if asked:
        write_out(own_version() + "\n")
        raise typer.Exit
