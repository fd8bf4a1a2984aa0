"""The verbs `rm` and `rename`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from machinectl.cli.output.exit_status import report
from machinectl.cli.output.stdout import write_out
from machinectl.cli.output.style import is_terminal
from machinectl.cli.tables.results import in_order, is_on_board, report_results
from machinectl.errors import Hint
from machinectl.machines.store.store_paths import NoSuchMachine

if TYPE_CHECKING:
    from machinectl.cli.options.verb_session import Session
    from machinectl.hosts.login import Login


def rm(
    here: Session,
    *,
    names: list[str],
    login: Login,
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
    from machinectl.hosts.removal import Purge

    failed = False
    wanted = None
    if purge or purge_engine:
        from machinectl.provision.target import Allowed

        wanted = Purge(login, Allowed(forcible=False, restart_swarm=restart_swarm), engine=purge_engine)
    if dry_run:
        return report_results(here, plan_removal(here.store, here.console, names, purge=wanted, forget=forget), names)
    here.console.done = "removed"
    results = command(here.store, here.console, names, force=force, yes=yes, purge=wanted, forget=forget)
    for name, error in results if is_terminal(sys.stdout) else in_order(results, names):
        if error:
            report(error, here.program)
            # With --force, an unknown machine is not a failure.
            failed = failed or not (force and isinstance(error.__cause__, NoSuchMachine))
        else:
            if not is_on_board(here):
                write_out(f"Successfully removed {name}\n")
            if os.environ.get("DOCKER_HOST") and os.environ.get("DOCKER_MACHINE_NAME") == name:
                here.console.note(
                    f'This shell points at "{name}", which is gone', Hint("Unset it", "eval $(machinectl env -u)")
                )
    return int(failed)


def rename(here: Session, *, old: str, new: str) -> None:
    from machinectl.commands.rename import rename as command

    command(here.store, here.console, old, new)
