"""The verbs `swarm …`."""

from __future__ import annotations

from machinectl.cli.catalogue import LOGIN, PRINTS, Argument, Verb
from machinectl.cli.output.stdout import print_json, write_out
from machinectl.cli.output.style import harmless
from machinectl.errors import NO_HINT, Hint, UsageError
from machinectl.machines.flags import MACHINE, Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.verb_session import Session
    from machinectl.hosts.login import Login
    from machinectl.swarm.swarm_status import SwarmReport


ADVERTISE_ADDR = Flag(
    "--advertise-addr", metavar="ADDRESS", help="The address for other nodes (default: the engine's)."
)

VERBS = {
    "swarm": Verb(
        "",
        examples=("machinectl swarm init orionbox", "machinectl swarm join orionbox rigel", "machinectl swarm status"),
    ),
    "swarm init": Verb(
        "swarm_init",
        more="It turns off live-restore first, because Swarm does not work with it.",
        examples=("machinectl swarm init orionbox",),
        arguments=(shared.NAME,),
        flags=(ADVERTISE_ADDR, *LOGIN),
    ),
    "swarm join": Verb(
        "swarm_join",
        more="MANAGER is one of the swarm's managers, or the swarm's name.",
        examples=(
            "machinectl swarm join orionbox rigel saiph",
            "machinectl swarm join --manager orionbox bellatrix mintaka",
        ),
        arguments=(Argument("manager", "MANAGER", MACHINE, required=True), shared.NAMES),
        flags=(
            Flag("--manager", help="Join as managers; use an odd number of them.", parameter="as_manager"),
            ADVERTISE_ADDR,
            *shared.CHOICE,
            *LOGIN,
        ),
    ),
    "swarm leave": Verb(
        "swarm_leave",
        more="It drains them first, and turns live-restore on again if it was on before.",
        examples=("machinectl swarm leave rigel", "machinectl swarm leave --force orionbox"),
        arguments=(shared.NAMES,),
        flags=(
            Flag("-f", "--force", help="Remove the last manager, too, and nodes that no reachable manager knows."),
            *shared.CHOICE,
            *LOGIN,
        ),
    ),
    "swarm status": Verb(
        "swarm_status",
        more="It asks any manager that answers.",
        examples=("machinectl swarm status", "machinectl swarm status --json orionbox"),
        arguments=(Argument("name", "[NAME]", MACHINE),),
        flags=(shared.TIMEOUT.with_changes(default=5), shared.JSON),
        output=PRINTS,
    ),
}


HEADINGS = ["MACHINE", "HOSTNAME", "ROLE", "STATUS", "AVAILABILITY", "ADDRESS", "ENGINE"]


def swarm_init(here: Session, *, name: str, login: Login, advertise_addr: str) -> int:
    from machinectl.cli.tables.results import report_results
    from machinectl.swarm.swarm_join import Joining
    from machinectl.swarm.swarm_members import begin_swarm

    return report_results(here, begin_swarm(here.store, here.console, name, Joining(login, advertise_addr)), [name])


def swarm_join(
    here: Session, *, manager: str, names: list[str], login: Login, as_manager: bool, advertise_addr: str
) -> int:
    from machinectl.cli.tables.results import report_results
    from machinectl.machines.selection import require_names
    from machinectl.machines.swarm_node import MANAGER, WORKER
    from machinectl.swarm.swarm_join import Joining
    from machinectl.swarm.swarm_members import swarm_join as command

    if advertise_addr and len(names) > 1:
        raise UsageError("--advertise-addr is for one machine only", Hint("Join the machines one at a time"))
    require_names(names, "swarm join <MANAGER>")
    role = MANAGER if as_manager else WORKER
    joining = Joining(login, advertise_addr)
    results = command(here.store, here.console, manager, names, joining, role)
    return report_results(here, results, names)


def swarm_leave(here: Session, *, names: list[str], login: Login, force: bool) -> int:
    from machinectl.cli.tables.results import report_results
    from machinectl.machines.selection import require_names
    from machinectl.swarm.swarm_members import swarm_leave as command

    require_names(names, "swarm leave")
    results = command(here.store, here.console, names, login, force=force)
    return report_results(here, results, names)


def swarm_status(here: Session, *, name: str, timeout: float, as_json: bool) -> int:
    from machinectl.cli.tables.results import report_all
    from machinectl.features import functions
    from machinectl.swarm.swarm_status import swarm_status as command

    found = command(here.store, here.console, [name] if name else [], timeout)
    for told in functions("swarm_status"):
        told(here.store, here.console)
    if as_json:
        print_json([swarm.fields() for swarm in found])
    elif not found:
        begin = Hint("Begin one", "machinectl swarm init", "<NAME>") if here.store.names() else NO_HINT
        here.console.note("No machine is in a swarm", begin)
        here.note_empty_store()
    else:
        write_out("\n".join(swarm_text(swarm) for swarm in found))
    return report_all(here, [swarm.failure for swarm in found if swarm.failure])


def swarm_text(swarm: SwarmReport) -> str:
    from machinectl.cli.tables.text_table import Fitting, table_text

    lines = [swarm.heading(), *([] if swarm.failure else [swarm.quorum.outlook])]
    nodes = table_text(HEADINGS, (row.cells() for row in swarm.rows), Fitting(spare=("HOSTNAME", "ENGINE", "ADDRESS")))
    return "".join(f"{harmless(line)}\n" for line in lines) + nodes
