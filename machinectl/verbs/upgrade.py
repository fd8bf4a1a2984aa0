"""The verb `upgrade`."""

from __future__ import annotations

from machinectl.cli.catalogue import LOGIN, Verb
from machinectl.machines.flags import Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.verb_session import Session
    from machinectl.console import Console
    from machinectl.hosts.host_plan import HostPlan
    from machinectl.hosts.login import Login
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held


VERBS = {
    "upgrade": Verb(
        "upgrade",
        more="It asks before more than a patch release.",
        examples=("machinectl upgrade --dry-run orionbox", "machinectl upgrade orionbox"),
        arguments=(shared.NAMES,),
        flags=(
            Flag("-y", "--yes", help="Do not ask before more than a patch release."),
            Flag("-f", "--force", help="Restart the engine even if that stops containers; it still asks."),
            shared.RESTART_SWARM,
            shared.DRY_RUN,
            *LOGIN,
            *shared.CHOICE,
        ),
    ),
}


def upgrade(
    here: Session, *, names: list[str], login: Login, yes: bool, force: bool, restart_swarm: bool, dry_run: bool
) -> int:
    from machinectl.cli.tables.results import report_results
    from machinectl.hosts.engine_upgrade import plan_upgrade, upgrade_engine
    from machinectl.hosts.workers import plan_each, work_on_each
    from machinectl.provision.target import Allowed

    allowed = Allowed(force=force, yes=yes, restart_swarm=restart_swarm)

    def plan(machine: Machine, console: Console, own: Login) -> HostPlan:
        return plan_upgrade(here.store, machine, console, own, allowed)

    def work(held: Held, console: Console, own: Login) -> None:
        upgrade_engine(held, console, own, allowed)

    if dry_run:
        return report_results(here, plan_each(here.store, here.console, names, login, plan), names)
    return report_results(here, work_on_each(here.store, here.console, names, login, work), names)
