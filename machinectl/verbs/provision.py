"""The verbs `provision` and `upgrade`."""

from __future__ import annotations

import sys

from machinectl.cli.catalogue import LOGIN, Verb
from machinectl.cli.output.stdout import write_out
from machinectl.machines.flags import Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.cli.verb_session import Session
    from machinectl.console import Console
    from machinectl.errors import MachineError
    from machinectl.hosts.host_plan import HostPlan
    from machinectl.hosts.login import Login
    from machinectl.hosts.setup import Setup
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store


VERBS = {
    "provision": Verb(
        "provision",
        more="You can run it again at any time: it changes only what differs.",
        examples=("machinectl provision orionbox",),
        arguments=(shared.NAMES,),
        flags=(
            shared.TAKE_OVER,
            Flag("--take-over", help="Replace settings that were changed here by those of another computer."),
            shared.DRY_RUN,
            shared.FORCE,
            shared.RESTART_SWARM,
            shared.OPEN_FIREWALL,
            *LOGIN,
            *shared.CHOICE,
        ),
    ),
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


def provision(
    here: Session,
    *,
    names: list[str],
    login: Login,
    yes: bool,
    take_over: bool,
    dry_run: bool,
    force: bool,
    restart_swarm: bool,
    open_firewall: bool,
) -> int:
    from machinectl.cli.run_verb import given_authority
    from machinectl.cli.tables.results import report_results
    from machinectl.hosts.creation import CreatedMachine
    from machinectl.hosts.setup import Setup
    from machinectl.provision.target import Allowed
    from machinectl.verbs.create import next_steps

    allowed = Allowed(
        force=force, restart_swarm=restart_swarm, open_firewall=open_firewall, yes=yes, take_over=take_over
    )
    setup = Setup(allowed, given_authority(here))
    begun = [] if dry_run else incomplete(here, names)
    code = report_results(here, provision_each(here.store, here.console, names, login, setup, dry_run=dry_run), names)
    left = incomplete(here, begun)
    for name in begun:
        if name not in left and sys.stdout.isatty():
            write_out(next_steps(here, CreatedMachine(here.store.read(name), True)))
    return code


def incomplete(here: Session, names: list[str]) -> list[str]:
    """Return the machines whose `create` was interrupted."""
    from machinectl.machines.record import Phase
    from machinectl.machines.selection import matching

    found = {name: here.store.read_or_none(name) for name in matching(names, here.store.names)}
    return [name for name, machine in found.items() if machine and machine.phase != Phase.READY]


def provision_each(
    store: Store, console: Console, names: Sequence[str], login: Login, setup: Setup, *, dry_run: bool
) -> Iterator[tuple[str, HostPlan | MachineError | None]]:
    from machinectl.console import StateNote
    from machinectl.hosts.provisioning import preview_provisioning
    from machinectl.hosts.provisioning import provision as provision_machine
    from machinectl.hosts.workers import plan_each, work_on_each

    def plan(machine: Machine, console: Console, own: Login) -> HostPlan:
        return preview_provisioning(machine, console, own, setup, store)

    def work(held: Held, console: Console, own: Login) -> None:
        if not any(outcome.changed for outcome in provision_machine(held, console, own, setup)):
            console.note(StateNote(f'"{held.name}" is as it should be: nothing to do'))

    return (
        plan_each(store, console, names, login, plan) if dry_run else work_on_each(store, console, names, login, work)
    )


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
