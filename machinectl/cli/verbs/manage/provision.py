"""The verbs that work on the engine of a host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from machinectl.cli.options.login_options import authority, with_access
from machinectl.cli.options.typer_verbs import DryRun, Names, session, verb, with_selector
from machinectl.cli.tables.results import told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.console import Console
    from machinectl.hosts.connection.login import Access
    from machinectl.hosts.lifecycle.host_plan import HostPlan, Outcome

Force = Annotated[
    bool,
    typer.Option(
        "-f", "--force", help="Replace certificates of somebody else's, and restart an engine although that harms."
    ),
]
RestartSwarm = Annotated[
    bool, typer.Option("--restart-swarm", help="Restart the engine of a Swarm node that cannot be drained, too.")
]
OpenFirewall = Annotated[
    bool, typer.Option("--open-firewall", help="Let the engine's port through the host's firewall.")
]

TakeOver = Annotated[
    bool,
    typer.Option(
        "-y", "--yes", help="Do not ask before a host is taken over from docker-machine, or set up despite a warning."
    ),
]


def add(app: typer.Typer, arguments: Sequence[str]) -> None:
    """Add the verbs that work on the engine of a host."""

    @verb(app, "provision", "What is right there is left alone.")
    @with_selector
    @with_access
    def provision(
        ctx: typer.Context,
        access: Access,
        names: Names = None,
        yes: TakeOver = False,
        dry_run: DryRun = False,
        force: Force = False,
        restart_swarm: RestartSwarm = False,
        open_firewall: OpenFirewall = False,
    ) -> int:
        from machinectl.commands.provision import provision as command
        from machinectl.hosts.lifecycle.setup import Setup
        from machinectl.provision.target import Allowed

        here = session(ctx)
        allowed = Allowed(force=force, restart_swarm=restart_swarm, open_firewall=open_firewall, yes=yes)

        setup = Setup(allowed, authority(here))
        plans: dict[str, HostPlan] | None = {} if dry_run else None

        def tell(name: str, console: Console, outcomes: list[Outcome]) -> None:
            if not any(each.changed for each in outcomes):
                console.note(f'"{name}" is as it should be: nothing to do')

        planned = None if plans is None else plans.__setitem__
        results = command(here.store, here.console, names or [], access, setup, tell, planned=planned)
        return told(here, results, plans, names)

    @verb(app, "regenerate-certs", "Each engine is restarted with live-restore, and nothing else is changed.")
    @with_selector
    @with_access
    def regenerate_certs(
        ctx: typer.Context,
        access: Access,
        names: Names = None,
        yes: Annotated[
            bool, typer.Option("-y", "--yes", "-f", "--force", help="Do not ask (-f as docker-machine has it).")
        ] = False,
        client_certs: Annotated[
            bool, typer.Option("--client-certs", help="Make a new certificate for the client here, too.")
        ] = False,
        new_ca: Annotated[
            bool, typer.Option("--new-ca", help="Make a new CA, too: it locks out all other clients.")
        ] = False,
        tls_san: Annotated[
            list[str] | None,
            typer.Option(metavar="NAME|ADDRESS", help="One more name in the server's certificate."),
        ] = None,
        restart_swarm: RestartSwarm = False,
        dry_run: DryRun = False,
    ) -> int:
        from machinectl.commands.regenerate_certs import Renewal
        from machinectl.commands.regenerate_certs import regenerate_certs as command
        from machinectl.provision.target import Allowed

        here = session(ctx)
        allowed = Allowed(forcible=False, restart_swarm=restart_swarm)
        renewal = Renewal(tuple(tls_san or ()), client_certs, new_ca, authority(here), allowed)
        plans: dict[str, HostPlan] | None = {} if dry_run else None
        planned = None if plans is None else plans.__setitem__
        results = command(here.store, here.console, names or [], access, renewal, unasked=yes, planned=planned)
        return told(here, results, plans, names)

    @verb(app, "upgrade", "More than a patch release is asked about.")
    @with_selector
    @with_access
    def upgrade(
        ctx: typer.Context,
        access: Access,
        names: Names = None,
        yes: Annotated[
            bool, typer.Option("-y", "--yes", help="Do not ask before an upgrade that is more than a patch.")
        ] = False,
        force: Annotated[
            bool, typer.Option("-f", "--force", help="Restart an engine although that harms; it asks all the same.")
        ] = False,
        restart_swarm: RestartSwarm = False,
        dry_run: DryRun = False,
    ) -> int:
        from machinectl.commands.upgrade import upgrade as command
        from machinectl.provision.target import Allowed

        here = session(ctx)
        allowed = Allowed(force=force, yes=yes, restart_swarm=restart_swarm)
        plans: dict[str, HostPlan] | None = {} if dry_run else None
        planned = None if plans is None else plans.__setitem__
        results = command(here.store, here.console, names or [], access, allowed, planned=planned)
        return told(here, results, plans, names)
