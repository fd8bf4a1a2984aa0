"""The verbs `provision`, `regenerate-certs` and `upgrade`."""

from __future__ import annotations

import sys

from machinectl.cli.declared_verb import Verb
from machinectl.cli.output.stdout import write_out
from machinectl.cli.own_flags import LOGIN
from machinectl.machines.flags import Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.options.verb_session import Session
    from machinectl.hosts.login import Login


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
    "regenerate-certs": Verb(
        "regenerate_certs",
        more="It restarts each engine with live-restore and changes nothing else.",
        examples=("machinectl regenerate-certs orionbox",),
        arguments=(shared.NAMES,),
        flags=(
            Flag("-y", "-f", "--yes", "--force", help="Do not ask (-f as in docker-machine)."),
            Flag("--client-certs", help="Create a new client certificate, too."),
            Flag("--new-ca", help="Create a new CA, too: this locks out all other clients."),
            Flag("--tls-san", metavar="NAME|ADDRESS", help="An additional name in the server certificate.", many=True),
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
    from machinectl.cli.options.login_options import given_authority
    from machinectl.cli.tables.results import report_results
    from machinectl.commands.provision import provision as command
    from machinectl.hosts.creation import CreatedMachine
    from machinectl.hosts.setup import Setup
    from machinectl.provision.target import Allowed
    from machinectl.verbs.create import next_steps

    allowed = Allowed(
        force=force, restart_swarm=restart_swarm, open_firewall=open_firewall, yes=yes, take_over=take_over
    )
    setup = Setup(allowed, given_authority(here))
    begun = [] if dry_run else incomplete(here, names)
    code = report_results(here, command(here.store, here.console, names, login, setup, dry_run=dry_run), names)
    left = incomplete(here, begun)
    for name in begun:
        if name not in left and sys.stdout.isatty():
            write_out(next_steps(here, CreatedMachine(here.store.read(name), True)))
    return code


def incomplete(here: Session, names: list[str]) -> list[str]:
    """Return the machines whose `create` was interrupted."""
    from machinectl.machines.record import Phase
    from machinectl.machines.selection import matching
    from machinectl.machines.store.machine_store import read_or_none

    found = {name: read_or_none(here.store.read, name) for name in matching(names, here.store.names)}
    return [name for name, machine in found.items() if machine and machine.phase != Phase.READY]


def regenerate_certs(
    here: Session,
    *,
    names: list[str],
    login: Login,
    yes: bool,
    client_certs: bool,
    new_ca: bool,
    tls_san: list[str],
    restart_swarm: bool,
    dry_run: bool,
) -> int:
    from machinectl.cli.options.login_options import given_authority
    from machinectl.cli.tables.results import report_results
    from machinectl.commands.renew import renew_now as command
    from machinectl.hosts.certificate_renewal import Renewal
    from machinectl.provision.target import Allowed

    allowed = Allowed(forcible=False, restart_swarm=restart_swarm)
    renewal = Renewal(tuple(tls_san), client_certs, new_ca, given_authority(here), allowed)
    results = command(here.store, here.console, names, login, renewal, unasked=yes, dry_run=dry_run)
    return report_results(here, results, names)


def upgrade(
    here: Session, *, names: list[str], login: Login, yes: bool, force: bool, restart_swarm: bool, dry_run: bool
) -> int:
    from machinectl.cli.tables.results import report_results
    from machinectl.commands.upgrade import upgrade as command
    from machinectl.provision.target import Allowed

    allowed = Allowed(force=force, yes=yes, restart_swarm=restart_swarm)
    return report_results(here, command(here.store, here.console, names, login, allowed, dry_run=dry_run), names)
