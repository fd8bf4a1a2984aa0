"""`fleet …` on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer  # noqa: TC002 (Typer resolves a command's annotations when it runs)

from machinectl.cli.catalogue import VERBS
from machinectl.cli.fleet_files import add_writing
from machinectl.cli.output import print_json
from machinectl.cli.verbs import new_app, session, verb

if TYPE_CHECKING:
    from collections.abc import Sequence


def add(app: typer.Typer, arguments: Sequence[str]) -> None:
    """Add `fleet`, with its verbs."""
    group = new_app(help=VERBS["fleet"].summary, no_args_is_help=True)
    add_writing(group)
    add_schema(group)
    app.add_typer(group, name="fleet")


def add_schema(group: typer.Typer) -> None:
    @verb(group, "fleet schema", "It knows the options of the drivers that are installed.")
    def schema(ctx: typer.Context) -> None:
        from machinectl.commands.fleet.schema import fleet_schema

        print_json(fleet_schema(session(ctx).console))
