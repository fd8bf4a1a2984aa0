"""What work on the engine of a host in use has in common: a host at a time, and containers that keep running."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from machinectl.errors import CheckFailed, MachineError
from machinectl.host_changes import merged
from machinectl.hosts.connection.machine_driver import ssh_endpoint
from machinectl.hosts.lifecycle.preview import diff
from machinectl.hosts.lifecycle.setup import Outcome, borrowing, give_back, given_back, look, make_change, read
from machinectl.hosts.lifecycle.shared_hosts import catch_up
from machinectl.hosts.swarm import draining
from machinectl.machines.record import Phase
from machinectl.provision import host_checks
from machinectl.provision.steps import engine_config, hidden_containers, live_restore, restart_risks
from machinectl.provision.target import DRAIN_BY_HAND, recorded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.console import Console
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store
    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.job import Remote
    from machinectl.provision.target import Allowed, Target

# What makes an engine ready to be restarted, in this order.
BEFORE_RESTART = (engine_config.recover, live_restore.borrow)


def check_provisioned(machine: Machine) -> None:
    """Refuse a machine whose engine machinectl did not set up. Raises MachineError."""
    ssh_endpoint(machine)
    if machine.phase is Phase.PROVISIONING:
        raise MachineError(
            f'"{machine.name}" is half provisioned', f"Finish that first: machinectl provision {machine.name}"
        )
    if not (machine.tls and machine.url.startswith("tcp://")):
        raise MachineError(
            f'"{machine.name}" is not spoken to over TLS ({machine.url or "it has no URL"})',
            f"Set its engine up for it: machinectl provision {machine.name}",
        )


@contextmanager
def restarting(held: Held, console: Console, remote: Remote, target: Target, allowed: Allowed) -> Iterator[Facts]:
    """Prepare a host for a restart of its engine (`ready_to_restart`), and restore live-restore afterwards."""
    with borrowing(held, console, remote):
        yield ready_to_restart(held, console, remote, target, allowed)
    give_back(held, console, remote)


@contextmanager
def drained(
    held: Held, console: Console, remote: Remote, target: Target, host: Facts, allowed: Allowed
) -> Iterator[None]:
    """A host's node is drained meanwhile, where it is one. What runs there is looked at again when it is its turn.

    Raises MachineError, CheckFailed.
    """
    with draining.drained(held, console, draining.node_id_of(host)):
        if host.swarm:
            restart_risks.harmless(read(remote, target.port), allowed)
        yield


def ready_to_restart(held: Held, console: Console, remote: Remote, target: Target, allowed: Allowed) -> Facts:
    """What a host is like, once its engine can be restarted without an end to its containers.

    What an interrupted run left half done is put back first. A Swarm node has no live-restore: it is not restarted
    unless it can be drained (`drained`, which is the caller's), or that is allowed. Raises
    MachineError, CheckFailed.
    """
    host = look(remote, target.port, console)
    catch_up(held, console, remote, host)
    allowed = draining.allowed(held.store, held.machine, host, allowed)
    check_restart(held.machine.name, console, host, target, allowed)
    for decide in BEFORE_RESTART:
        decision = decide(host, target)
        if decision is None:
            continue
        with console.step(decision.title):
            make_change(held, remote, decision)
        host = read(remote, target.port) if decision.unforeseen else decision.after
    return host


def before_restart(
    store: Store, machine: Machine, console: Console, host: Facts, target: Target, allowed: Allowed
) -> tuple[list[Outcome], Facts, list[Outcome]]:
    """Return what `restarting` and a drain would do first, the host's facts then, and what would follow the restart.

    Raises CheckFailed.
    """
    changes = machine.changes
    allowed = draining.allowed(store, machine, host, allowed)
    check_restart(machine.name, console, host, target, allowed)
    by = draining.foretold(store, machine, host) if host.swarm else ""
    outcomes = [Outcome(draining.title(machine.name), changed=True, details=(by,))] if by else []
    for decide in BEFORE_RESTART:
        decision = decide(host, target)
        if decision:
            outcomes.append(Outcome(decision.title, changed=True, details=(*decision.details, *diff(host, decision))))
            host, changes = decision.after, merged(changes, decision.changes)
    return outcomes, host, given_back(host, recorded(target, changes))


def check_restart(name: str, console: Console, host: Facts, target: Target, allowed: Allowed) -> None:
    """Refuse a restart that harms more than is allowed, and say what else it cuts off. Raises CheckFailed."""
    host_checks.root(host, target)
    host_checks.files(host, target)
    if not host.dockerd:
        raise CheckFailed(
            f'There is no Docker Engine on the host of "{name}"', f"Install it: machinectl provision {name}"
        )
    if host.swarm and not allowed.restart_swarm:
        raise CheckFailed(
            f'The host of "{name}" is a Swarm node: a restart of its engine stops the tasks on it',
            DRAIN_BY_HAND,
        )
    moves = engine_config.pending(host)
    if moves and not allowed.force:
        raise hidden_containers.refused(host, moves, allowed)
    restart_risks.harmless(host, allowed)
    for warning in restart_risks.said_before(host, target):
        console.warn(warning)
