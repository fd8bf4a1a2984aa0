"""The command line as Typer knows it: every verb, its flags and what it prints."""

from __future__ import annotations

import math
import os
import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer

from machinectl import __version__
from machinectl.cli import answers, certs, hosts
from machinectl.cli.create import add_create
from machinectl.cli.exits import guarded, program_with, report
from machinectl.cli.listing import print_machines
from machinectl.cli.lookahead import SYSTEMDS_VERBS, split_at_verb
from machinectl.cli.output import print_json, write_out
from machinectl.cli.terminal import Terminal
from machinectl.cli.verbs import AsJson, Names, OneName, Session, new_app, session, verb
from machinectl.commands.access import Access
from machinectl.commands.create import Certificates
from machinectl.errors import MachineError, UsageError
from machinectl.store import NoSuchMachine, Store

# What all of Typer's own errors about a command line are; it exports this one kind of them.
TYPERS_USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]


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
        min=0.1,
        max=86400,
        callback=seconds,
        metavar="SECONDS",
        help="How long a host may take to answer.",
    ),
]


def run(arguments: list[str]) -> int:
    """Run a whole command line and return its exit code."""
    return guarded(lambda: dispatch(arguments))


def dispatch(arguments: list[str]) -> int:
    before, verb_and_rest = split_at_verb(arguments)
    if verb_and_rest[:1] == ["help"]:
        arguments = [*before, *verb_and_rest[1:], "--help"]
    elif verb_and_rest and verb_and_rest[0] in SYSTEMDS_VERBS:
        raise UsageError(
            f"'{verb_and_rest[0]}' is a command of systemd's machinectl, not of this one",
            f"/usr/bin/machinectl {verb_and_rest[0]} …",
        )
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
    add_machine_verbs(app)
    add_registration_verbs(app)
    add_create(app, arguments)
    hosts.add_host_verbs(app)
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
        native_ssh=native_ssh,
        program=program,
    )


def print_own_version(asked: bool) -> None:
    if asked:
        write_out(own_version() + "\n")
        raise typer.Exit


def own_version() -> str:
    """Which program answers: systemd has a machinectl too, whose first line starts with `systemd`."""
    return f"machinectl version {__version__} (Docker hosts; {os.path.dirname(os.path.dirname(__file__))})"


def add_machine_verbs(app: typer.Typer) -> None:
    """Add the verbs that ask about machines."""

    @verb(app, "env", help="Print what points a shell's docker at a machine: eval $(machinectl env NAME)")
    def env(
        ctx: typer.Context,
        names: OneName = None,
        shell: Annotated[
            str | None, typer.Option(metavar="SHELL", help="bash, zsh, sh, fish, tcsh, powershell, cmd or emacs.")
        ] = None,
        unset: Annotated[bool, typer.Option("-u", "--unset", help="Print what undoes it.")] = False,
        no_proxy: Annotated[bool, typer.Option("--no-proxy", help="Add the machine's address to NO_PROXY.")] = False,
        swarm: Annotated[bool, typer.Option("--swarm", hidden=True)] = False,
    ) -> None:
        flags = {"shell": shell} if shell is not None else {}
        flags.update({"unset": ""} if unset else {})
        flags.update({"no_proxy": ""} if no_proxy else {})
        write_out(answers.env(session(ctx).store, flags, names or []))

    @verb(app, "active", help="Print the machine that docker in this shell points at.")
    def active(ctx: typer.Context, timeout: Timeout = 10) -> None:
        write_out(answers.active(session(ctx).store, {}, []))

    @verb(app, "url", help="Print where a machine's engine is.")
    def url(ctx: typer.Context, names: OneName = None) -> None:
        write_out(answers.url(session(ctx).store, {}, names or []))

    @verb(app, "ip", help="Print machines' addresses.")
    def ip(ctx: typer.Context, names: Names = None) -> None:
        write_out(answers.ip(session(ctx).store, {}, names or []))

    @verb(app, "config", help="Print docker's flags for a machine: docker $(machinectl config NAME) ps")
    def config(
        ctx: typer.Context,
        names: OneName = None,
        swarm: Annotated[bool, typer.Option("--swarm", hidden=True)] = False,
    ) -> None:
        from machinectl.commands.config import config as command

        here = session(ctx)
        write_out("".join(f"{line}\n" for line in command(here.store, here.console, names or [], os.environ)))

    @verb(app, "status", help="Print what a machine is doing.")
    def status(ctx: typer.Context, names: OneName = None, timeout: Timeout = 10, as_json: AsJson = False) -> None:
        from machinectl.commands.status import status as command

        found = command(session(ctx).store, names or [], timeout)
        if as_json:
            print_json(asdict(found))
            return
        write_out(f"{found.state}\n")
        if found.error:
            report(MachineError(found.error, found.hint), session(ctx).program)

    @verb(app, "version", help="Print a machine's engine's version; without a name, this program's own.")
    def version(ctx: typer.Context, names: OneName = None, timeout: Timeout = 10) -> None:
        from machinectl.commands.status import engine_version

        found = engine_version(session(ctx).store, names, timeout) if names else own_version()
        write_out(f"{found}\n")

    @verb(app, "inspect", help="Print all that is known of a machine, in docker-machine's shape.")
    def inspect(
        ctx: typer.Context,
        names: OneName = None,
        template: Annotated[str, typer.Option("-f", "--format", metavar="TEMPLATE", help="A Go template.")] = "",
        as_json: Annotated[bool, typer.Option("--json", help="Print machinectl's own record.")] = False,
    ) -> None:
        from machinectl import gotemplate
        from machinectl.commands.inspect import inspect as command
        from machinectl.commands.inspect import ours
        from machinectl.commands.naming import chosen_one

        if template and as_json:
            raise UsageError("--format and --json exclude each other", "Leave one of them out")
        parsed = gotemplate.parse(template) if template else None
        store = session(ctx).store
        machine = store.read(chosen_one(store, names or []))
        directory = store.directory(machine.name)
        if as_json:
            print_json(ours(machine, directory))
        elif parsed:
            write_out(parsed.render(command(machine, directory)) + "\n")
        else:
            print_json(command(machine, directory))

    @verb(app, "api", help="Ask a machine's engine and print its raw answer: machinectl api NAME /info")
    def api(
        ctx: typer.Context,
        name: Annotated[str, typer.Argument(metavar="NAME")],
        request: Annotated[list[str], typer.Argument(metavar="[METHOD] PATH")],
        body: Annotated[
            str, typer.Option("-d", "--data", metavar="JSON|@FILE", help="What to send: JSON, @FILE, or @- for stdin.")
        ] = "",
        timeout: Timeout = 30,
    ) -> int:
        return print_answer(session(ctx).store, name, request, body, timeout)

    for name, hidden in (("ls", False), ("list", True)):
        add_listing(app, name, hidden=hidden)


def add_listing(app: typer.Typer, name: str, *, hidden: bool) -> None:
    @verb(app, name, hidden=hidden, help="List machines, and what each is doing.")
    def ls(
        ctx: typer.Context,
        quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print names only.")] = False,
        filters: Annotated[
            list[str] | None,
            typer.Option(
                "--filter", metavar="KEY=VALUE", help="By driver, state, name (a regular expression) or label."
            ),
        ] = None,
        timeout: Timeout = 10,
        template: Annotated[
            str, typer.Option("-f", "--format", metavar="TEMPLATE", help="A Go template; `table …` adds headings.")
        ] = "",
        as_json: AsJson = False,
    ) -> None:
        print_machines(
            session(ctx).store, quiet=quiet, filters=filters or [], timeout=timeout, template=template, as_json=as_json
        )


def add_registration_verbs(app: typer.Typer) -> None:
    """Add the verbs that change what is registered."""

    @verb(app, "rm", help="Forget machines; their hosts stay as they are.")
    @hosts.with_access
    def rm(
        ctx: typer.Context,
        access: Access,
        names: Names = None,
        force: Annotated[
            bool, typer.Option("-f", "--force", help="Do not ask, and forget a machine whatever state it is in.")
        ] = False,
        yes: Annotated[bool, typer.Option("-y", help="Do not ask.")] = False,
        purge: Annotated[
            bool, typer.Option("--purge", help="Undo on the host what was set up there, too; containers stay.")
        ] = False,
        purge_engine: Annotated[
            bool, typer.Option("--purge-engine", help="Remove the engine that was installed, too.")
        ] = False,
    ) -> int:
        from machinectl.commands.rm import Purge
        from machinectl.commands.rm import rm as command

        failed = False
        here = session(ctx)
        wanted = Purge(access, engine=purge_engine) if purge or purge_engine else None
        for name, error in command(here.store, here.console, names or [], force=force, yes=yes, purge=wanted):
            if error:
                report(error, here.program)
                # What is not there need not be removed by force.
                failed = failed or not (force and isinstance(error.__cause__, NoSuchMachine))
            else:
                write_out(f"Successfully removed {name}\n")
        return int(failed)

    @verb(app, "rename", help="Give a machine another name; its host is not told.")
    def rename(
        ctx: typer.Context,
        old: Annotated[str, typer.Argument(metavar="OLD")],
        new: Annotated[str, typer.Argument(metavar="NEW")],
    ) -> None:
        from machinectl.commands.rename import rename as command

        command(session(ctx).store, session(ctx).console, old, new)

    @verb(app, "set", help="Change where a machine's engine is, its labels, or whether it uses TLS.")
    def set_machine(
        ctx: typer.Context,
        name: Annotated[str, typer.Argument(metavar="NAME")],
        url: Annotated[str | None, typer.Option(metavar="URL", help="Where the engine is now.")] = None,
        label: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Set a label.")] = None,
        unlabel: Annotated[list[str] | None, typer.Option(metavar="KEY", help="Remove a label.")] = None,
        tls: Annotated[bool | None, typer.Option("--tls/--no-tls", help="Speak to the engine over TLS.")] = None,
    ) -> None:
        from machinectl.cli.create import labels
        from machinectl.commands.set import Change
        from machinectl.commands.set import set_machine as command

        change = Change(url=url, tls=tls, labels=labels(label or [], "--label"), unlabel=tuple(unlabel or ()))
        command(session(ctx).store, session(ctx).console, name, change)

    @verb(app, "drivers", help="List installed drivers, and which of them fail to load.")
    def drivers(ctx: typer.Context, as_json: AsJson = False) -> None:
        from machinectl.commands.drivers import drivers as command
        from machinectl.table import table

        found = command()
        if as_json:
            print_json(found)
        else:
            write_out(table(["NAME", "PACKAGE", "VERSION", "FROM", "ERROR"], (list(row.values()) for row in found)))


def print_answer(store: Store, name: str, request: list[str], body: str, timeout: float) -> int:
    """Stream an engine's answer to stdout as it comes; exit code 1 where its status says that it failed."""
    from machinectl.commands.api import api

    *method, path = request
    if len(method) > 1:
        raise UsageError("Too many arguments", "machinectl api NAME [METHOD] PATH")
    piece = b""
    with api(store, name, (method or ["GET"])[0], path, read_body(body), timeout) as answer:
        for piece in answer:
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
    if sys.stdout.isatty() and not piece.endswith(b"\n"):
        write_out("\n")
    if answer.status < 300:  # noqa: PLR2004 (RFC 9110 15: from here on, it is not what was asked for)
        return 0
    where = f", at {answer.headers['Location']}" if "Location" in answer.headers else ""
    print(f"The engine answered {answer.status} {answer.reason}{where}", file=sys.stderr)
    return 1


def read_body(given: str) -> bytes | None:
    """What is to be sent, as curl's --data takes it."""
    if not given.startswith("@"):
        return given.encode() or None
    if given == "@-":
        return sys.stdin.buffer.read()
    try:
        with open(given[1:], "rb") as file:
            return file.read()
    except OSError as exc:
        raise UsageError(f"Cannot read {given[1:]}: {exc.strerror}", "Give JSON, @FILE, or @- for stdin") from exc
