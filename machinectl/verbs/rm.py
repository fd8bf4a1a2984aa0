"""The verb `rm`: remove machines; restore their hosts only with --purge."""

from __future__ import annotations

import os
import sys

from machinectl.cli.catalogue import LOGIN, Verb
from machinectl.cli.output.exit_status import report
from machinectl.cli.output.stdout import write_out
from machinectl.cli.output.style import is_terminal
from machinectl.errors import Hint
from machinectl.machines.flags import Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.verb_session import Session
    from machinectl.hosts.login import Login


VERBS = {
    "rm": Verb(
        "rm",
        more="A host that the driver created is deleted. Without --purge, other hosts do not change.",
        examples=("machinectl rm orionbox", "machinectl rm --purge orionbox"),
        arguments=(shared.NAMES,),
        flags=(
            Flag("-f", "--force", help="Do not ask, and remove the machine in any state."),
            Flag("-y", "--yes", help="Do not ask."),
            Flag("--purge", help="Undo machinectl's changes on the host, too; containers stay."),
            Flag("--purge-engine", help="Remove the engine that machinectl installed, too."),
            shared.RESTART_SWARM,
            shared.DRY_RUN_HERE,
            Flag("--forget", help="Do not keep the record that could undo the host's changes later."),
            *LOGIN,
            *shared.CHOICE,
        ),
    ),
}


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
    from machinectl.cli.tables.results import in_order, is_on_board, report_results
    from machinectl.hosts.removal import plan_removal, remove_machines
    from machinectl.machines.store.store_paths import NoSuchMachine

    failed = False
    wanted = None
    if purge or purge_engine:
        from machinectl.hosts.purging import Purge
        from machinectl.provision.target import Allowed

        wanted = Purge(login, Allowed(forcible=False, restart_swarm=restart_swarm), engine=purge_engine)
    if dry_run:
        return report_results(here, plan_removal(here.store, here.console, names, purge=wanted, forget=forget), names)
    here.console.done = "removed"
    results = remove_machines(here.store, here.console, names, force=force, yes=yes, purge=wanted, forget=forget)
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
