"""The verbs for a host's power."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from machinectl.cli.options.login_options import with_access
from machinectl.cli.options.typer_verbs import DryRun, Names, session, verb, with_selector
from machinectl.cli.output.stdout import write_out
from machinectl.cli.tables.results import told

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

    from machinectl.errors import MachineError
    from machinectl.hosts.connection.login import Access
    from machinectl.hosts.lifecycle.host_plan import HostPlan

    Result = tuple[str, MachineError | None]

DONE = {"start": "started", "stop": "stopped", "restart": "restarted", "kill": "killed"}


def add(app: typer.Typer, arguments: Sequence[str]) -> None:
    """Add the verbs for a host's power."""
    add_switch(app, "start", "How long a host may take until it answers.")
    add_switch(app, "stop", "How long a host may take until it is off.")
    add_switch(app, "restart", "How long a host may take to come back.")
    # Nobody waits for a host that is switched off.
    add_switch(app, "kill", "", "Only drivers that hold the power switch can; stop asks the host itself.")


def printed(verb: str, results: Iterable[Result], unchanged: Container[str] = ()) -> Iterator[Result]:
    """The same results; docker-machine's line for each machine that it was done for, and its last one."""
    done = False
    for name, error in results:
        if not error and name not in unchanged:
            done = True
            write_out(f'Machine "{name}" was {DONE[verb]}.\n')
        yield name, error
    if done and verb in {"start", "restart"}:
        write_out(
            f"{DONE[verb].capitalize()} machines may have new IP addresses. "
            "You may need to re-run the `machinectl env` command.\n"
        )


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
        plans: dict[str, HostPlan] | None = {} if dry_run else None
        power = Power(here.store, here.console, access, timeout, yes, None if plans is None else plans.__setitem__)
        switch = {"start": power.start, "stop": power.stop, "restart": power.restart, "kill": power.kill}[name]
        results = switch(names or [])
        return told(here, results if dry_run else printed(name, results, power.unchanged), plans, names)

    wait = typer.Option("-t", "--timeout", min=1, metavar="SECONDS", help=patience, hidden=not patience)
    run.__annotations__["timeout"] = Annotated[float, wait]
    verb(app, name, more)(with_selector(with_access(run)))
