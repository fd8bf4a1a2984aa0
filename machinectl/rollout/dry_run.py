"""What `apply` would do on the host of one machine, found the way that `apply` goes; nothing is changed."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from machinectl.driver.installed_drivers import load
from machinectl.hosts.lifecycle.creation import Creation
from machinectl.hosts.lifecycle.onboarding import Onboarding
from machinectl.hosts.lifecycle.provisioning import foretold
from machinectl.hosts.lifecycle.removal import undoing
from machinectl.machines.jump_hosts import machine_of
from machinectl.machines.record import Phase
from machinectl.rollout.edits import edit_of

if TYPE_CHECKING:
    from machinectl.console import Console
    from machinectl.hosts.connection.login import Access
    from machinectl.hosts.lifecycle.host_plan import Outcome
    from machinectl.hosts.lifecycle.removal import Purge
    from machinectl.hosts.lifecycle.setup import Setup
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store
    from machinectl.rollout.plan_steps import Step


def has_host(step: Step, machine: Machine | None, store: Store, purge: Purge | None) -> bool:
    """Return whether `apply` changes a machine's host, or may, and the host can be looked at by now."""
    if step.host is None:
        return bool(purge and machine and machine.changes)
    if not step.host.spec.provision:
        return False
    gate = machine_of(step.host.spec.jump)
    if gate and not store.exists(gate):
        return False
    return machine is None or machine.phase is not Phase.READY or bool(machine.changes) or not machine.provision


def look(
    step: Step, store: Store, console: Console, access: Access, setup: Setup, purge: Purge | None
) -> list[Outcome]:
    """Return what would be done on a machine's host. Raises MachineError if it cannot be looked at."""
    host = step.host
    if host is None:
        return undoing(store, store.read(step.name), console, purge) if purge else []
    own = access.with_files(**asdict(host.login))
    machine = store.read(step.name) if store.exists(step.name) else None
    if machine is None or machine.phase is not Phase.READY:
        onboarding = Onboarding(own, setup.allowed, setup.authority)
        creation = Creation(step.name, host.spec, load(host.spec.driver), onboarding, host.certificates)
        found = creation.plan(store, console)
    else:
        edit = edit_of(host, machine, {each.key for each in step.differences})
        there = edit.preview(machine, store.exists)
        found = foretold(machine, console, own, setup, store, there)
    return [outcome for outcome in found.outcomes if outcome.changed]
