"""`swarm …` on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from machinectl.cli.catalogue import VERBS
from machinectl.cli.options.login_options import with_access
from machinectl.cli.options.store_followers import switched_off
from machinectl.cli.options.typer_verbs import AsJson, Names, Timeout, new_app, session, verb
from machinectl.cli.output.exit_status import report
from machinectl.cli.output.sanitise import harmless
from machinectl.cli.output.stdout import print_json, write_out
from machinectl.cli.tables.results import outcome, several
from machinectl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.cli.options.typer_verbs import Session
    from machinectl.commands.swarm.status import Swarm
    from machinectl.hosts.connection.login import Access

Advertised = Annotated[
    str,
    typer.Option(
        "--advertise-addr", metavar="ADDRESS", help="Where other nodes reach it (else where its engine is reached)."
    ),
]
HEADINGS = ["MACHINE", "HOSTNAME", "ROLE", "STATUS", "AVAILABILITY", "ADDRESS", "ENGINE"]


def add(app: typer.Typer, arguments: Sequence[str]) -> None:
    """Add `swarm`, with its verbs."""
    group = new_app(help=VERBS["swarm"].summary, no_args_is_help=True)
    add_joining(group)
    add_leave(group)
    add_status(group)
    app.add_typer(group, name="swarm")


def some(names: list[str] | None, verb: str) -> list[str]:
    """The machines that are named. Raises UsageError where none is: none is meant by itself here."""
    if not names:
        raise UsageError(
            "Error: Expected to get one or more machine names as arguments", f"Name them: machinectl {verb} <NAME>"
        )
    return names


def add_joining(group: typer.Typer) -> None:
    @verb(group, "swarm init", "live-restore, which Swarm excludes, is turned off first.")
    @with_access
    def init(
        ctx: typer.Context,
        access: Access,
        name: Annotated[str, typer.Argument(metavar="NAME")],
        advertise_addr: Advertised = "",
    ) -> int:
        from machinectl.commands.swarm.init import swarm_init
        from machinectl.hosts.lifecycle.swarm_join import Joining

        here = session(ctx)
        return outcome(here, swarm_init(here.store, here.console, name, Joining(access, advertise_addr)), several=False)

    @verb(group, "swarm join", "MANAGER is a manager of the swarm, or the swarm's name.")
    @with_access
    def join(
        ctx: typer.Context,
        access: Access,
        manager: Annotated[str, typer.Argument(metavar="MANAGER")],
        names: Names = None,
        as_manager: Annotated[
            bool, typer.Option("--manager", help="Join as managers, of which an odd number is best.")
        ] = False,
        advertise_addr: Advertised = "",
    ) -> int:
        from machinectl.commands.swarm.join import swarm_join
        from machinectl.hosts.lifecycle.swarm_join import Joining
        from machinectl.machines.swarm_node import MANAGER, WORKER

        if advertise_addr and several(names):
            raise UsageError("--advertise-addr is one machine's", "Have them join one after the other")
        here = session(ctx)
        names = some(names, "swarm join <MANAGER>")
        role = MANAGER if as_manager else WORKER
        joining = Joining(access, advertise_addr)
        results = swarm_join(here.store, here.console, manager, names, joining, role)
        return outcome(here, results, several=several(names))


def add_leave(group: typer.Typer) -> None:
    @verb(group, "swarm leave", "They are drained first, and live-restore is on again where it was.")
    @with_access
    def leave(
        ctx: typer.Context,
        access: Access,
        names: Names = None,
        force: Annotated[
            bool,
            typer.Option("-f", "--force", help="The last manager too, and those whom nobody can help to leave."),
        ] = False,
    ) -> int:
        from machinectl.commands.swarm.leave import swarm_leave
        from machinectl.hosts.lifecycle.swarm_join import Leaving

        here = session(ctx)
        names = some(names, "swarm leave")
        results = swarm_leave(here.store, here.console, names, Leaving(access, force))
        return outcome(here, results, several=several(names))


def add_status(group: typer.Typer) -> None:
    @verb(group, "swarm status", "Any manager among the machines is asked that answers.")
    def status(
        ctx: typer.Context,
        name: Annotated[str, typer.Argument(metavar="[NAME]", show_default=False)] = "",
        timeout: Timeout = 5,
        as_json: AsJson = False,
    ) -> int:
        from machinectl.commands.swarm.status import swarm_status

        here = session(ctx)
        found = swarm_status(here.store, here.console, [name] if name else [], timeout)
        if not switched_off():
            sync_contexts(here)
        if as_json:
            print_json([swarm.fields() for swarm in found])
        elif not found:
            here.console.note("No machine is in a swarm: machinectl swarm init <NAME>")
        else:
            write_out("\n".join(told(swarm) for swarm in found))
        for swarm in found:
            if swarm.failure:
                report(swarm.failure, here.program)
        return int(any(swarm.failure for swarm in found))


def sync_contexts(here: Session) -> None:
    """Have the docker contexts of swarms lead to managers that answer; what keeps from it is a warning."""
    from machinectl.docker_cli.contexts import Contexts
    from machinectl.hosts.exports.swarm_contexts import sync_swarm_contexts

    for changed, error in sync_swarm_contexts(Contexts(), here.store, within=0):
        if error:
            here.console.warn(f"{error.cause}\n{error.hint}")
        else:
            here.console.note(f'docker\'s context "{changed.machine}": {changed.outcome}')


def told(swarm: Swarm) -> str:
    """A swarm for people: what it has, what is lost if one more manager goes, and its nodes."""
    from machinectl.go.tabwriter import table

    quorum = swarm.quorum
    lines = [swarm.heading()]
    if not swarm.failure:
        lines += [quorum.told, *([quorum.advice] if quorum.advice else [])]
    nodes = table(HEADINGS, ([harmless(cell) for cell in row.cells()] for row in swarm.rows))
    return "".join(f"{harmless(line)}\n" for line in lines) + nodes
