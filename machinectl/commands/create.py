"""`create`: create a machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.hosts.creation import warn_of_unused_options
from machinectl.machines.jump_order import keep_jump_hosts
from machinectl.machines.store.store_directory import sweep
from machinectl.machines.tls_warnings import advise

if TYPE_CHECKING:
    from machinectl.console import Console
    from machinectl.hosts.creation import CreatedMachine, Creation
    from machinectl.machines.store import Store


def create(store: Store, console: Console, creation: Creation) -> CreatedMachine:
    """Create a machine, or finish an earlier `create`."""
    keep_jump_hosts(store, console)
    made = creation.carry_out(store, console)
    sweep(store)
    if not made.set_up:
        warn_of_unused_options(console, made.machine, creation.onboarding.allowed)
        advise(console, made.machine)
    elif creation.spare.certificate or creation.spare.key:
        console.warn(
            f'--tls-client-cert and --tls-client-key before create were not used: "{creation.name}" has a client '
            "certificate of its own CA"
        )
    return made
