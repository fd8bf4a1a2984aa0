"""The verbs that ask many engines what there is on them."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from machinectl.cli.options.login_options import with_access
from machinectl.cli.options.typer_verbs import AsJson, Names, Timeout, session, verb, with_selector
from machinectl.cli.output.exit_status import report
from machinectl.cli.output.stdout import print_json, write_out
from machinectl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.cli.options.typer_verbs import Session
    from machinectl.errors import MachineError
    from machinectl.hosts.connection.login import Access


def add(app: typer.Typer, arguments: Sequence[str]) -> None:
    """Add the verbs that ask many engines what there is on them."""
    add_ps(app)
    add_info(app)


def add_ps(app: typer.Typer) -> None:
    @verb(app, "ps", "Without a name, those of all machines.")
    @functools.partial(with_selector, short=False)
    def ps(
        ctx: typer.Context,
        names: Names = None,
        everything: Annotated[bool, typer.Option("-a", "--all", help="Also those that do not run.")] = False,
        filters: Annotated[
            list[str] | None,
            typer.Option("-f", "--filter", metavar="KEY=VALUE", help="Docker's: status, name, label, ancestor, …"),
        ] = None,
        template: Annotated[
            str,
            typer.Option("--format", metavar="TEMPLATE", help="A Go template; `table …` adds headings; raw; json."),
        ] = "",
        last: Annotated[
            int,
            typer.Option(
                "-n", "--last", metavar="N", show_default=False, help="The N newest of each machine, in any state."
            ),
        ] = -1,
        latest: Annotated[
            bool, typer.Option("-l", "--latest", help="The newest of each machine, in any state.")
        ] = False,
        no_trunc: Annotated[bool, typer.Option("--no-trunc", help="Cut nothing short.")] = False,
        quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print IDs only.")] = False,
        size: Annotated[bool, typer.Option("-s", "--size", help="Also what each has written.")] = False,
        timeout: Timeout = 10,
        as_json: AsJson = False,
    ) -> int:
        from machinectl.cli.tables.container_table import parse_format
        from machinectl.commands.ps import Wanted
        from machinectl.commands.ps import ps as command

        if as_json and (quiet or template):
            raise UsageError("--json, and --quiet or --format, exclude each other", "Leave one of them out")
        printed = parse_format("{{.ID}}" if quiet else template, size=size)
        newest = 1 if latest and last < 0 else last
        wanted = Wanted(everything, newest, size or printed.needs_size, filters or ())
        here = session(ctx)
        found = command(here.store, names or [], wanted, timeout)
        if as_json:
            unasked = {} if wanted.size else {"Size": ""}
            print_json([{"Machine": machine, **fields, **unasked} for machine, fields in found.rows(whole=True)])
        else:
            write_out(printed.text(found.rows(whole=no_trunc)))
        first_steps_where_none(here)
        return told(here, found.failures)


def add_info(app: typer.Typer) -> None:
    @verb(app, "info")
    @with_selector
    @with_access
    def info(
        ctx: typer.Context,
        access: Access,
        names: Names = None,
        ssh: Annotated[
            bool, typer.Option("--ssh", help="Log in there, too: disk, load, memory that is left, uptime.")
        ] = False,
        template: Annotated[str, typer.Option("-f", "--format", metavar="TEMPLATE", help="A Go template.")] = "",
        timeout: Timeout = 10,
        as_json: AsJson = False,
    ) -> int:
        from machinectl.commands.info import FIELDS
        from machinectl.commands.info import info as command
        from machinectl.go import template as gotemplate
        from machinectl.go.template_functions import DOCKERS

        if template and as_json:
            raise UsageError("--format and --json exclude each other", "Leave one of them out")
        parsed = gotemplate.parse(template, fields=FIELDS, escapes=True, functions=DOCKERS) if template else None
        here = session(ctx)
        found, failures = command(here.store, here.console, names or [], timeout, access if ssh else None)
        if as_json:
            print_json([one.fields() for one in found])
        elif parsed:
            write_out("".join(f"{parsed.render(one.fields())}\n" for one in found))
        else:
            from machinectl.cli.tables.detail_lines import text

            write_out("\n".join(map(text, found)))
        return told(here, failures)


def told(here: Session, failures: Sequence[MachineError]) -> int:
    """Tell below what was printed what could not be; the exit code."""
    for failure in failures:
        report(failure, here.program)
    return int(bool(failures))


def first_steps_where_none(here: Session) -> None:
    """Tell at a terminal how to make a machine, where there is none."""
    if sys.stderr.isatty() and not here.store.names():
        from machinectl.commands.ls import first_steps

        here.console.note(first_steps())
