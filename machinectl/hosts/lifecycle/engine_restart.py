"""Restart an engine without stopping its containers."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from machinectl.errors import CheckFailed, MachineError
from machinectl.host_changes import LiveRestoreChanged, of_kind
from machinectl.hosts.certificates.identity import Identity
from machinectl.hosts.connection.machine_driver import ssh_endpoint
from machinectl.hosts.lifecycle.host_run import DryRun
from machinectl.hosts.lifecycle.host_target import target_of
from machinectl.hosts.swarm import draining
from machinectl.machines.record import Phase
from machinectl.provision import preflight
from machinectl.provision.steps import engine_config, hidden_containers, live_restore, restart_risks
from machinectl.provision.target import DRAIN_BY_HAND, recorded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.hosts.lifecycle.host_run import HostRun
    from machinectl.machines.record import Machine
    from machinectl.provision.target import Allowed, Target


def check_provisioned(machine: Machine) -> None:
    ssh_endpoint(machine)
    if machine.phase is Phase.PROVISIONING:
        raise MachineError(
            f'"{machine.name}" is half provisioned', f"Finish that first: machinectl provision {machine.name}"
        )
    if not (machine.tls and machine.url.startswith("tcp://")):
        raise MachineError(
            f'The engine of "{machine.name}" does not use TLS ({machine.url or "it has no URL"})',
            f"Set it up: machinectl provision {machine.name}",
        )


@contextmanager
def restarting(run: HostRun, target: Target, allowed: Allowed) -> Iterator[None]:
    """Call `ready_to_restart`, and restore live-restore afterwards."""
    with live_restore_borrowed(run):
        ready_to_restart(run, target, allowed)
        yield
    if live_restore.is_on_record(run.machine.changes):
        restore_live_restore(run)


def ready_to_restart(run: HostRun, target: Target, allowed: Allowed) -> None:
    """Finish an interrupted run, and turn live-restore on so that containers survive.

    A Swarm node cannot have live-restore: drain it first, or let `allowed` permit its restart.
    """
    run.look()
    run.catch_up()
    check_restart(run, target, draining.allow_swarm_restart(run.store, run.machine, run.host, allowed))
    with ExitStack() as drains:
        run.take(lambda host, _: engine_config.recover(host, target), drains)
        run.take(lambda host, changes: live_restore.borrow(host, recorded(target, changes)), drains)


@contextmanager
def drained_for_restart(run: HostRun, allowed: Allowed) -> Iterator[None]:
    """Drain the host during the body, if it is a Swarm node."""
    with run.drained():
        if run.host.swarm:
            # The wait for another node may have been long.
            run.refresh()
            restart_risks.refuse_harm(run.host, allowed)
        yield


def check_restart(run: HostRun, target: Target, allowed: Allowed) -> None:
    """Raise CheckFailed if a restart does more harm than allowed."""
    host, name = run.host, run.machine.name
    preflight.check_root(host, target)
    preflight.check_files(host, target)
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
        raise hidden_containers.would_hide(host, moves, allowed)
    restart_risks.refuse_harm(host, allowed)
    for warning in restart_risks.warnings(host, target):
        run.console.warn(warning)


@contextmanager
def live_restore_borrowed(run: HostRun) -> Iterator[None]:
    """Restore live-restore if the body fails; after success, the caller does."""
    try:
        yield
    except MachineError:
        if of_kind(run.machine.changes, LiveRestoreChanged):
            # The record may still contain the settings that just failed.
            restore_live_restore(run, numbered=False)
        raise
    except KeyboardInterrupt:
        if of_kind(run.machine.changes, LiveRestoreChanged) and not isinstance(run, DryRun):
            run.console.warn(not_restored(run.machine))
        raise


def restore_live_restore(run: HostRun, *, numbered: bool = True) -> None:
    """Set live-restore to --engine-opt's value, else the host's. A failure is a warning."""
    machine = run.machine
    try:
        if live_restore.is_on_record(machine.changes):
            run.refresh()
        target = target_of(machine, Identity())
        decision = live_restore.give_back(run.host, target)
        if decision:
            run.make(decision, numbered=numbered)
        changes = live_restore.settled(run.host, recorded(target, machine.changes), machine.changes)
        run.keep(changes)
    except MachineError as exc:
        run.console.warn(not_restored(machine, exc.cause))


def not_restored(machine: Machine, cause: str = "") -> str:
    why = f": {cause}" if cause else ""
    return (
        f'The previous value of live-restore was not restored on the host of "{machine.name}"{why}\n'
        f"Restore it: machinectl provision {machine.name}"
    )
