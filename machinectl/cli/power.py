"""The verbs for a host's power."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from machinectl.cli.access import with_access
from machinectl.cli.outcomes import told
from machinectl.cli.verbs import DryRun, Names, session, verb
from machinectl.hosts.access import Access

if TYPE_CHECKING:
    from machinectl.hosts.setup import Plan

Wait = Annotated[
    float, typer.Option("-t", "--timeout", min=1, metavar="SECONDS", help="How long a host may take to come back.")
]


def add_power(app: typer.Typer) -> None:
    """Add the verbs for a host's power."""
    add_switch(app, "start", "Switch hosts on (by Wake-on-LAN), and wait until they answer.")
    add_switch(app, "stop", "Shut hosts down, and wait until they are off.")
    add_switch(app, "restart", "Reboot hosts, and wait until they are back.")
    add_switch(app, "kill", "Switch hosts off without asking them, where their driver can.")


def add_switch(app: typer.Typer, name: str, text: str) -> None:
    @verb(app, name, help=text)
    @with_access
    # A server's firmware may test its memory and its disks for minutes.
    def run(
        ctx: typer.Context,
        access: Access,
        names: Names = None,
        timeout: Wait = 600,
        yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask where containers run there.")] = False,
        dry_run: DryRun = False,
    ) -> int:
        from machinectl.commands.power import Power

        here = session(ctx)
        plans: dict[str, Plan] | None = {} if dry_run else None
        power = Power(here.store, here.console, access, timeout, yes, None if plans is None else plans.__setitem__)
        switch = {"start": power.start, "stop": power.stop, "restart": power.restart, "kill": power.kill}[name]
        return told(here, switch(names or []), plans, names)
