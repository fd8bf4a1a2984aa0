"""The verbs for a host's power."""

from __future__ import annotations

from typing import Annotated

import typer

from machinectl.cli.access import with_access
from machinectl.cli.outcomes import outcome, several
from machinectl.cli.verbs import Names, session, verb
from machinectl.hosts.access import Access

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
    ) -> int:
        from machinectl.commands.power import Power

        here = session(ctx)
        switch = {"start": Power.start, "stop": Power.stop, "restart": Power.restart, "kill": Power.kill}[name]
        return outcome(
            here, switch(Power(here.store, here.console, access, timeout, yes), names or []), several=several(names)
        )
