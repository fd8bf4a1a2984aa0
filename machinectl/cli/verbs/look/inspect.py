"""`inspect` and `changes`: what is recorded of a machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from machinectl.cli.options.typer_verbs import (
    AsJson,
    OneName,
    session,
    verb,
)
from machinectl.cli.output.stdout import print_json, write_out
from machinectl.cli.verbs import light_verbs
from machinectl.errors import UsageError
from machinectl.machines.selection import chosen_one

if TYPE_CHECKING:
    from collections.abc import Sequence


def add(app: typer.Typer, arguments: Sequence[str]) -> None:
    @verb(app, "inspect")
    def inspect(
        ctx: typer.Context,
        names: OneName = None,
        template: Annotated[str, typer.Option("-f", "--format", metavar="TEMPLATE", help="A Go template.")] = "",
        as_json: Annotated[bool, typer.Option("--json", help="Print machinectl's own record as JSON.")] = False,
    ) -> None:
        here = session(ctx)
        if template and as_json:
            raise UsageError("--format and --json exclude each other", "Leave one of them out")
        if as_json:
            from machinectl.commands.inspect import ours

            machine = here.store.read(chosen_one(here.store, names or []))
            print_json(ours(machine, machine.directory))
        elif template:
            from machinectl.go import template as gotemplate
            from machinectl.machines.docker_machine.config_json import config_json

            parsed = gotemplate.parse(template)
            machine = here.store.read(chosen_one(here.store, names or []))
            write_out(parsed.render(config_json(machine, machine.directory)) + "\n")
        else:
            light_verbs.inspect(here.store, {}, names or [], here.program)

    @verb(app, "changes")
    def changes(ctx: typer.Context, names: OneName = None, as_json: AsJson = False) -> None:
        from machinectl.commands.changes import changes as command
        from machinectl.go.tabwriter import table

        here = session(ctx)
        name, rows = command(here.store, names or [])
        if as_json:
            print_json([row.fields() for row in rows])
            return
        write_out(table(["WHEN (UTC)", "DONE", "UNDONE"], (row.cells() for row in rows)))
        undone = f"Undo it, and forget the machine: machinectl rm --purge {name}"
        here.console.note(undone if rows else f'Nothing was changed on the host of "{name}"')
