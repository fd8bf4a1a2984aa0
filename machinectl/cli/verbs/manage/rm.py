"""The verbs `rm`, `rename` and `drivers`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from machinectl.cli.output.exit_status import report
from machinectl.cli.output.stdout import print_json, write_out
from machinectl.cli.tables.results import report_results
from machinectl.cli.tables.text_table import table_text
from machinectl.machines.store.store_paths import NoSuchMachine

if TYPE_CHECKING:
    from machinectl.cli.options.verb_session import Session
    from machinectl.hosts.connection.login import Access
    from machinectl.machines.flags import Flag


def rm(
    here: Session,
    *,
    names: list[str],
    access: Access,
    force: bool,
    yes: bool,
    purge: bool,
    purge_engine: bool,
    restart_swarm: bool,
    dry_run: bool,
    forget: bool,
) -> int:
    from machinectl.commands.rm import plan_removal
    from machinectl.commands.rm import rm as command
    from machinectl.hosts.lifecycle.removal import Purge

    failed = False
    wanted = None
    if purge or purge_engine:
        from machinectl.provision.target import Allowed

        wanted = Purge(access, Allowed(forcible=False, restart_swarm=restart_swarm), engine=purge_engine)
    if dry_run:
        return report_results(here, plan_removal(here.store, here.console, names, purge=wanted, forget=forget), names)
    results = command(here.store, here.console, names, force=force, yes=yes, purge=wanted, forget=forget)
    for name, error in results:
        if error:
            report(error, here.program)
            # With --force, an unknown machine is not a failure.
            failed = failed or not (force and isinstance(error.__cause__, NoSuchMachine))
        else:
            write_out(f"Successfully removed {name}\n")
            if os.environ.get("DOCKER_HOST") and os.environ.get("DOCKER_MACHINE_NAME") == name:
                here.console.note(f'This shell points at "{name}", which is gone: eval $(machinectl env -u)')
    return int(failed)


def rename(here: Session, *, old: str, new: str) -> None:
    from machinectl.commands.rename import rename as command

    command(here.store, here.console, old, new)


def drivers(here: Session, *, as_json: bool, options: bool) -> None:
    from machinectl.commands.drivers import drivers as command

    if options:
        print_options(as_json=as_json)
        return
    found = command()
    if as_json:
        print_json(found)
    else:
        headings = ["NAME", "PACKAGE", "VERSION", "FROM", "ERROR"]
        write_out(table_text(headings, (list(row.values()) for row in found)))


def print_options(*, as_json: bool) -> None:
    """Print drivers' options for completion: DRIVER OPTION VALUE ABOUT."""
    from machinectl.cli.parsing import completion_candidates

    rows = []
    for name in completion_candidates.driver_names():
        flags = completion_candidates.driver_flags(name)
        rows += [[name, flag.flag, value_of(flag), flag.help] for flag in flags] or [[name, "-", "", ""]]
    if as_json:
        print_json([dict(zip(("Driver", "Option", "Value", "About"), row, strict=True)) for row in rows])
    else:
        write_out(table_text(["DRIVER", "OPTION", "VALUE", "ABOUT"], ([cell or "-" for cell in row] for row in rows)))


def value_of(flag: Flag) -> str:
    return flag.offers.upper() if isinstance(flag.offers, str) else "|".join(flag.offers)
