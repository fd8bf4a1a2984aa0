"""The verbs `provision`, `regenerate-certs` and `upgrade`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.cli.options.login_options import given_authority
from machinectl.cli.tables.results import report_results

if TYPE_CHECKING:
    from machinectl.cli.options.verb_session import Session
    from machinectl.hosts.connection.login import Access


def provision(
    here: Session,
    *,
    names: list[str],
    access: Access,
    yes: bool,
    dry_run: bool,
    force: bool,
    restart_swarm: bool,
    open_firewall: bool,
) -> int:
    from machinectl.commands.provision import provision as command
    from machinectl.hosts.lifecycle.setup import Setup
    from machinectl.provision.target import Allowed

    allowed = Allowed(force=force, restart_swarm=restart_swarm, open_firewall=open_firewall, yes=yes)
    setup = Setup(allowed, given_authority(here))
    return report_results(here, command(here.store, here.console, names, access, setup, dry_run=dry_run), names)


def regenerate_certs(
    here: Session,
    *,
    names: list[str],
    access: Access,
    yes: bool,
    client_certs: bool,
    new_ca: bool,
    tls_san: list[str],
    restart_swarm: bool,
    dry_run: bool,
) -> int:
    from machinectl.commands.regenerate_certs import regenerate_certs as command
    from machinectl.hosts.upkeep.certificate_renewal import Renewal
    from machinectl.provision.target import Allowed

    allowed = Allowed(forcible=False, restart_swarm=restart_swarm)
    renewal = Renewal(tuple(tls_san), client_certs, new_ca, given_authority(here), allowed)
    results = command(here.store, here.console, names, access, renewal, unasked=yes, dry_run=dry_run)
    return report_results(here, results, names)


def upgrade(
    here: Session, *, names: list[str], access: Access, yes: bool, force: bool, restart_swarm: bool, dry_run: bool
) -> int:
    from machinectl.commands.upgrade import upgrade as command
    from machinectl.provision.target import Allowed

    allowed = Allowed(force=force, yes=yes, restart_swarm=restart_swarm)
    return report_results(here, command(here.store, here.console, names, access, allowed, dry_run=dry_run), names)
