"""The verbs that change what is registered."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from machinectl.cli.options.login_options import with_access
from machinectl.cli.options.typer_verbs import AsJson, Names, session, verb, with_selector
from machinectl.cli.output.exit_status import report
from machinectl.cli.output.stdout import print_json, write_out
from machinectl.cli.tables.results import told
from machinectl.cli.verbs.manage.provision import RestartSwarm
from machinectl.machines.store.store_paths import NoSuchMachine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machinectl.hosts.connection.login import Access
    from machinectl.hosts.lifecycle.host_plan import HostPlan


def add(app: typer.Typer, arguments: Sequence[str]) -> None:
    """Add the verbs that change what is registered."""

    @verb(app, "rm", "Hosts that a driver made end; others stay as they are without it.")
    @with_selector
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
        from machinectl.commands.rm import preview
        from machinectl.commands.rm import rm as command
        from machinectl.hosts.lifecycle.removal import Purge

        failed = False
        here = session(ctx)
        wanted = None
        if purge or purge_engine:
            from machinectl.provision.target import Allowed

            wanted = Purge(access, Allowed(forcible=False, restart_swarm=restart_swarm), engine=purge_engine)
        if dry_run:
            plans: dict[str, HostPlan] = {}
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
                if points_at(name, os.environ):
                    here.console.note(f'This shell points at "{name}", which is gone: eval $(machinectl env -u)')
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
    def drivers(
        ctx: typer.Context,
        as_json: AsJson = False,
        options: Annotated[
            bool, typer.Option("--options", help="List what each adds to `create`, and what its values are.")
        ] = False,
    ) -> None:
        from machinectl.commands.drivers import drivers as command
        from machinectl.go.tabwriter import table

        if options:
            print_options(as_json=as_json)
            return
        found = command()
        if as_json:
            print_json([row.fields() for row in found])
        else:
            headings = ["NAME", "PACKAGE", "VERSION", "FROM", "ERROR"]
            write_out(table(headings, (list(row.fields().values()) for row in found)))


def print_options(*, as_json: bool) -> None:
    """List the drivers' options, a line each, as completion reads them: DRIVER OPTION VALUE ABOUT."""
    from machinectl.cli.parsing import completion_candidates
    from machinectl.errors import one_line
    from machinectl.go.tabwriter import table

    rows = [
        [name, flag.names[0], "|".join(flag.value) if isinstance(flag.value, tuple) else flag.value.upper(), flag.about]
        for name in completion_candidates.drivers()
        for flag in completion_candidates.driver_flags(name) or [completion_candidates.Flag(["-"], "")]
    ]
    if as_json:
        print_json([dict(zip(("Driver", "Option", "Value", "About"), row, strict=True)) for row in rows])
    else:
        write_out(
            table(
                ["DRIVER", "OPTION", "VALUE", "ABOUT"],
                [[one_line(cell) or "-" for cell in row] for row in rows],
            )
        )


def points_at(name: str, environment: Mapping[str, str]) -> bool:
    """Whether docker's variables are those that `env` and `use` set for a machine."""
    return bool(environment.get("DOCKER_HOST")) and environment.get("DOCKER_MACHINE_NAME") == name
