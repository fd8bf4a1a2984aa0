"""The verbs `swarm …`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.cli.options.store_followers import is_switched_off
from machinectl.cli.output.sanitise import harmless
from machinectl.cli.output.stdout import print_json, write_out
from machinectl.cli.tables.fitted_table import Fitting
from machinectl.cli.tables.results import report_all, report_results
from machinectl.cli.tables.text_table import table_text
from machinectl.errors import NO_HINT, Hint, UsageError
from machinectl.machines.selection import require_names

if TYPE_CHECKING:
    from machinectl.cli.options.verb_session import Session
    from machinectl.hosts.login import Login
    from machinectl.swarm.swarm_report import SwarmReport

HEADINGS = ["MACHINE", "HOSTNAME", "ROLE", "STATUS", "AVAILABILITY", "ADDRESS", "ENGINE"]


def swarm_init(here: Session, *, name: str, login: Login, advertise_addr: str) -> int:
    from machinectl.swarm.swarm_join import Joining
    from machinectl.swarm.swarm_roles import begin_swarm

    return report_results(here, begin_swarm(here.store, here.console, name, Joining(login, advertise_addr)), [name])


def swarm_join(
    here: Session, *, manager: str, names: list[str], login: Login, as_manager: bool, advertise_addr: str
) -> int:
    from machinectl.commands.swarm.join import swarm_join as command
    from machinectl.machines.swarm_node import MANAGER, WORKER
    from machinectl.swarm.swarm_join import Joining

    if advertise_addr and len(names) > 1:
        raise UsageError("--advertise-addr is for one machine only", Hint("Join the machines one at a time"))
    require_names(names, "swarm join <MANAGER>")
    role = MANAGER if as_manager else WORKER
    joining = Joining(login, advertise_addr)
    results = command(here.store, here.console, manager, names, joining, role)
    return report_results(here, results, names)


def swarm_leave(here: Session, *, names: list[str], login: Login, force: bool) -> int:
    from machinectl.commands.swarm.leave import swarm_leave as command
    from machinectl.swarm.swarm_join import Leaving

    require_names(names, "swarm leave")
    results = command(here.store, here.console, names, Leaving(login, force))
    return report_results(here, results, names)


def swarm_status(here: Session, *, name: str, timeout: float, as_json: bool) -> int:
    from machinectl.commands.swarm.status import swarm_status as command

    found = command(here.store, here.console, [name] if name else [], timeout)
    if not is_switched_off():
        sync_contexts(here)
    if as_json:
        print_json([swarm.fields() for swarm in found])
    elif not found:
        begin = Hint("Begin one", "machinectl swarm init", "<NAME>") if here.store.names() else NO_HINT
        here.console.note("No machine is in a swarm", begin)
        here.note_empty_store()
    else:
        write_out("\n".join(swarm_text(swarm) for swarm in found))
    return report_all(here, [swarm.failure for swarm in found if swarm.failure])


def sync_contexts(here: Session) -> None:
    """Point swarms' docker contexts at managers that answer; failures are warnings."""
    from machinectl.docker_cli.contexts import Contexts
    from machinectl.docker_cli.swarm_contexts import sync_swarm_contexts

    for changed, error in sync_swarm_contexts(Contexts(), here.store, within=0):
        if error:
            here.console.warn(error.cause, error.hint)
        else:
            here.console.note(f'docker\'s context "{changed.machine}": {changed.outcome}')


def swarm_text(swarm: SwarmReport) -> str:
    quorum = swarm.quorum
    lines = [swarm.heading()]
    if not swarm.failure:
        lines += [quorum.outlook, *([quorum.advice] if quorum.advice else [])]
    nodes = table_text(HEADINGS, (row.cells() for row in swarm.rows), Fitting(spare=("HOSTNAME", "ENGINE", "ADDRESS")))
    return "".join(f"{harmless(line)}\n" for line in lines) + nodes
