"""The verbs that change what is registered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from machinectl.cli.access import with_access
from machinectl.cli.exits import report
from machinectl.cli.outcomes import told
from machinectl.cli.output import print_json, write_out
from machinectl.cli.upkeep import RestartSwarm
from machinectl.cli.verbs import AsJson, Names, session, verb
from machinectl.machines.store import NoSuchMachine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.hosts.access import Access
    from machinectl.hosts.setup import Plan


def add(app: typer.Typer, arguments: Sequence[str]) -> None:
    """Add the verbs that change what is registered."""

    @verb(app, "rm", "Hosts that a driver made end; others stay as they are without it.")
    @with_access
    def rm(
        ctx: typer.Context,
        access: Access,
        names: Names = None,
        force: Annotated[
            bool, typer.Option("-f", "--force", help="Do not ask, and forget a machine whatever state it is in.")
        ] = False,
        yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")] = False,
        purge: Annotated[
            bool, typer.Option("--purge", help="Undo on the host what was set up there, too; containers stay.")
        ] = False,
        purge_engine: Annotated[
            bool, typer.Option("--purge-engine", help="Remove the engine that was installed, too.")
        ] = False,
        restart_swarm: RestartSwarm = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be done, and do nothing.")] = False,
        forget: Annotated[
            bool, typer.Option("--forget", help="Keep nothing that could undo later what was set up on the host.")
        ] = False,
    ) -> int:
        from machinectl.commands.rm import Purge, preview
        from machinectl.commands.rm import rm as command

        failed = False
        here = session(ctx)
        wanted = None
        if purge or purge_engine:
            from machinectl.provision.target import Allowed

            wanted = Purge(access, Allowed(forcible=False, restart_swarm=restart_swarm), engine=purge_engine)
        if dry_run:
            plans: dict[str, Plan] = {}
            results = preview(here.store, here.console, names or [], plans.__setitem__, purge=wanted, forget=forget)
            return told(here, results, plans, names)
        results = command(here.store, here.console, names or [], force=force, yes=yes, purge=wanted, forget=forget)
        for name, error in results:
            if error:
                report(error, here.program)
                # What is not there need not be removed by force.
                failed = failed or not (force and isinstance(error.__cause__, NoSuchMachine))
            else:
                write_out(f"Successfully removed {name}\n")
        return int(failed)

    @verb(app, "rename")
    def rename(
        ctx: typer.Context,
        old: Annotated[str, typer.Argument(metavar="OLD")],
        new: Annotated[str, typer.Argument(metavar="NEW")],
    ) -> None:
        from machinectl.commands.rename import rename as command

        command(session(ctx).store, session(ctx).console, old, new)

    @verb(app, "drivers")
    def drivers(ctx: typer.Context, as_json: AsJson = False) -> None:
        from machinectl.commands.drivers import drivers as command
        from machinectl.go.tabwriter import table

        found = command()
        if as_json:
            print_json([row.fields() for row in found])
        else:
            headings = ["NAME", "PACKAGE", "VERSION", "FROM", "ERROR"]
            write_out(table(headings, (list(row.fields().values()) for row in found)))
