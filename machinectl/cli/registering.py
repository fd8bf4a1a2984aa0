"""The verbs that change what is registered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from machinectl.cli.access import with_access
from machinectl.cli.engine_options import changed_ones, warn_of_open_files, with_engine_options
from machinectl.cli.exits import report
from machinectl.cli.outcomes import told
from machinectl.cli.output import print_json, write_out
from machinectl.cli.upkeep import RestartSwarm
from machinectl.cli.verbs import AsJson, Names, session, verb
from machinectl.hosts.access import Access
from machinectl.machines.store import NoSuchMachine
from machinectl.provision.target import Allowed

if TYPE_CHECKING:
    from machinectl.hosts.setup import Plan


def add_registering(app: typer.Typer) -> None:
    """Add the verbs that change what is registered."""

    @verb(app, "rm", help="Forget machines; their hosts stay as they are, but for those that a driver made.")
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
        allowed = Allowed(force=force, restart_swarm=restart_swarm)
        wanted = Purge(access, engine=purge_engine, allowed=allowed) if purge or purge_engine else None
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

    @verb(app, "rename", help="Give a machine another name; its host is not told.")
    def rename(
        ctx: typer.Context,
        old: Annotated[str, typer.Argument(metavar="OLD")],
        new: Annotated[str, typer.Argument(metavar="NEW")],
    ) -> None:
        from machinectl.commands.rename import rename as command

        command(session(ctx).store, session(ctx).console, old, new)

    @verb(
        app,
        "set",
        help="Change what is known of a machine, or asked of its engine: `provision` carries that out. "
        "An engine option that is given takes the place of what was asked before; '' is for none of it.",
    )
    @with_engine_options
    def set_machine(
        ctx: typer.Context,
        name: Annotated[str, typer.Argument(metavar="NAME")],
        url: Annotated[str | None, typer.Option(metavar="URL", help="Where the engine is now.")] = None,
        label: Annotated[
            list[str] | None, typer.Option("--label", "--engine-label", metavar="KEY=VALUE", help="Set a label.")
        ] = None,
        unlabel: Annotated[list[str] | None, typer.Option(metavar="KEY", help="Remove a label.")] = None,
        tls: Annotated[bool | None, typer.Option("--tls/--no-tls", help="Speak to the engine over TLS.")] = None,
        **engine: Any,
    ) -> None:
        from machinectl.cli.create import labels
        from machinectl.commands.set import Edit
        from machinectl.commands.set import set_machine as command

        warn_of_open_files(engine, session(ctx).console)
        change = Edit(
            url=url,
            tls=tls,
            labels=labels(label or [], "--label"),
            unlabel=tuple(unlabel or ()),
            engine=changed_ones(engine),
        )
        command(session(ctx).store, session(ctx).console, name, change)

    @verb(app, "drivers", help="List installed drivers, and which of them fail to load.")
    def drivers(ctx: typer.Context, as_json: AsJson = False) -> None:
        from machinectl.commands.drivers import drivers as command
        from machinectl.go.tabwriter import table

        found = command()
        if as_json:
            print_json([row.fields() for row in found])
        else:
            headings = ["NAME", "PACKAGE", "VERSION", "FROM", "ERROR"]
            write_out(table(headings, (list(row.fields().values()) for row in found)))
