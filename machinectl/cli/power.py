"""The verbs for a host's power."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from machinectl.cli.access import with_access
from machinectl.cli.outcomes import told
from machinectl.cli.verbs import DryRun, Names, session, verb

if TYPE_CHECKING:
    from machinectl.hosts.access import Access
    from machinectl.hosts.setup import Plan


def add_power(app: typer.Typer) -> None:
    """Add the verbs for a host's power."""
    add_switch(app, "start", "How long a host may take until it answers.")
    add_switch(app, "stop", "How long a host may take until it is off.")
    add_switch(app, "restart", "How long a host may take to come back.")
    # Nobody waits for a host that is switched off.
    add_switch(app, "kill", "", "Only drivers that hold the power switch can; stop asks the host itself.")


def add_switch(app: typer.Typer, name: str, patience: str, more: str = "") -> None:
    # A server's firmware may test its memory and its disks for minutes.
    def run(
        ctx: typer.Context,
        access: Access,
        names: Names = None,
        timeout: float = 600,
        yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask where containers run there.")] = False,
        dry_run: DryRun = False,
    ) -> int:
        from machinectl.commands.power import Power

        here = session(ctx)
        plans: dict[str, Plan] | None = {} if dry_run else None
        power = Power(here.store, here.console, access, timeout, yes, None if plans is None else plans.__setitem__)
        switch = {"start": power.start, "stop": power.stop, "restart": power.restart, "kill": power.kill}[name]
        return told(here, switch(names or []), plans, names)

    wait = typer.Option("-t", "--timeout", min=1, metavar="SECONDS", help=patience, hidden=not patience)
    run.__annotations__["timeout"] = Annotated[float, wait]
    verb(app, name, more)(with_access(run))
