"""`fleet init`, `fleet import` and `fleet schema`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from machinectl.cli.catalogue import VERBS
from machinectl.cli.options.typer_verbs import Names, new_app, session, verb
from machinectl.cli.output.stdout import print_json, write_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.console import Console

Output = Annotated[
    str, typer.Option("-o", "--output", metavar="FILE", help="Write it into FILE, which is not there yet.")
]


def add(app: typer.Typer, arguments: Sequence[str]) -> None:
    """Add `fleet`, with its verbs."""
    group = new_app(help=VERBS["fleet"].summary, no_args_is_help=True)

    @verb(group, "fleet init", "Without names, of all.")
    def init(ctx: typer.Context, names: Names = None, output: Output = "") -> None:
        from machinectl.commands.fleet.init import fleet_init

        here = session(ctx)
        hand_over(fleet_init(here.store, here.console, names or [], os.path.dirname(output)), output, here.console)

    @verb(group, "fleet import", "What is not taken over is said.")
    def import_(
        ctx: typer.Context,
        file: Annotated[str, typer.Argument(metavar="FILE")],
        kind: Annotated[
            str,
            typer.Option("--from", metavar="ansible|ssh-config", help="What the file is (else: by what is in it)."),
        ] = "",
        output: Output = "",
    ) -> None:
        from machinectl.commands.fleet.import_ import fleet_import

        here = session(ctx)
        hand_over(fleet_import(here.store, here.console, file, kind), output, here.console)

    @verb(group, "fleet schema", "It knows the options of the drivers that are installed.")
    def schema(ctx: typer.Context) -> None:
        from machinectl.commands.fleet.schema import fleet_schema

        print_json(fleet_schema(session(ctx).console))

    app.add_typer(group, name="fleet")


def hand_over(text: str, path: str, console: Console) -> None:
    """Print a file, or write it where it was asked for."""
    if not path:
        write_file(text)
        return
    from machinectl.fleet.writing.new_file import write_new_file

    write_new_file(path, text)
    console.note(f"{path} is written. See what is to do: machinectl plan -f {path}")
