"""The command line as Typer knows it: every verb, its flags and what it prints."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer

from machinectl.cli import certs
from machinectl.cli.access import take_passwords
from machinectl.cli.create import add_create, driver_flags
from machinectl.cli.exits import guarded, program_with
from machinectl.cli.go_flags import canonical, is_true
from machinectl.cli.lookahead import SYSTEMDS_VERBS, TAKE_VALUES, split_at_verb
from machinectl.cli.looking import add_looking
from machinectl.cli.output import write_out
from machinectl.cli.pointing import add_pointing
from machinectl.cli.power import add_power
from machinectl.cli.registering import add_registering
from machinectl.cli.ssh import add_ssh
from machinectl.cli.terminal import Terminal
from machinectl.cli.upkeep import add_upkeep
from machinectl.cli.verbs import Session, new_app, own_version
from machinectl.commands.create import Certificates
from machinectl.errors import UsageError
from machinectl.machines.store import Store

# What all of Typer's own errors about a command line are; it exports this one kind of them.
TYPERS_USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]


def run(arguments: list[str]) -> int:
    """Run a whole command line and return its exit code."""
    return guarded(lambda: dispatch(arguments))


def dispatch(arguments: list[str]) -> int:
    before, verb_and_rest = split_at_verb(canonical(arguments))
    if verb_and_rest[:1] in (["help"], ["h"]):
        arguments = [*before, *verb_and_rest[1:], "--help"]
    elif not verb_and_rest and before[-1:] not in ([option] for option in TAKE_VALUES):
        arguments = [*before, "--help"]
    elif verb_and_rest and verb_and_rest[0] in SYSTEMDS_VERBS:
        raise UsageError(
            f"'{verb_and_rest[0]}' is a command of systemd's machinectl, not of this one",
            f"/usr/bin/machinectl {verb_and_rest[0]} …",
        )
    arguments = canonical(arguments, driver_flags(canonical(arguments)))
    code = run_typer(build(arguments), arguments)
    sys.stdout.flush()
    return code


def run_typer(app: typer.Typer, arguments: list[str]) -> int:
    """Run Typer's command line; what it finds wrong is told in our form: the cause, and the next command to type."""
    try:
        result = app(arguments, prog_name="machinectl", standalone_mode=False)
    except typer.Abort as exc:
        raise KeyboardInterrupt from exc
    except TYPERS_USAGE_ERROR as exc:
        raise told(exc) from exc
    return result if isinstance(result, int) else 0


def told(error: Any) -> UsageError:
    """What Typer found wrong on the command line, as our own error."""
    path = error.ctx.command_path if error.ctx else "machinectl"
    message = error.format_message()
    if not error.ctx or message == error.ctx.get_help():
        return UsageError(message)
    return UsageError(f"Error: {message}", f"{path} --help")


def build(arguments: list[str]) -> typer.Typer:
    """The application; `arguments` is looked at for the driver whose options `create` gets."""
    app = new_app(help="Make servers Docker hosts, and point the docker CLI at one of them.", no_args_is_help=True)
    app.callback()(before_the_verb)
    add_pointing(app)
    add_looking(app)
    add_registering(app)
    add_create(app, arguments)
    add_ssh(app)
    add_upkeep(app)
    add_power(app)
    app.add_typer(certs.app(), name="certs")
    return app


def before_the_verb(
    ctx: typer.Context,
    storage_path: Annotated[
        str,
        typer.Option(
            "-s", "--storage-path", metavar="DIR", help="Where machines are kept (else $MACHINE_STORAGE_PATH)."
        ),
    ] = "",
    debug: Annotated[
        bool, typer.Option("-D", "--debug", help="Show tracebacks of bugs (else $MACHINE_DEBUG).")
    ] = False,
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
    if debug:
        os.environ["MACHINE_DEBUG"] = "1"
    program = program_with(storage_path)
    ctx.obj = Session(
        store=Store(storage_path),
        console=Terminal(program),
        certificates=Certificates(ca=tls_ca_cert, certificate=tls_client_cert, key=tls_client_key),
        ca_key=tls_ca_key,
        native_ssh=native_ssh or is_true(os.environ.get("MACHINE_NATIVE_SSH", "")),
        program=program,
        passwords=take_passwords(),
    )


def print_own_version(asked: bool) -> None:
    if asked:
        write_out(own_version() + "\n")
        raise typer.Exit
