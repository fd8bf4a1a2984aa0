"""What a machine's record asks of its host: carried out there, or foretold, over one connection."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from machinectl.hosts.access import as_root, elevated, logged_in
from machinectl.hosts.driven import where
from machinectl.hosts.plan import way_in

if TYPE_CHECKING:
    from machinectl.console import Console
    from machinectl.hosts.access import Access
    from machinectl.hosts.setup import Outcome, Plan, Setup
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store


def provision(held: Held, console: Console, access: Access, setup: Setup) -> list[Outcome]:
    """Make a machine's host what its record says; return what the steps came to. Raises MachineError."""
    machine = held.machine
    # A machine that was registered only may be known by another URL: its engine will be where its driver says.
    there = where(machine)
    machine.engine.check()
    with as_root(held, console, access, ssh=there.ssh) as root:
        outcomes = replace(setup, url=there.url).carry_out(held, console, root)
    # Who follows the machine may have lost it while its host needed nothing.
    held.touch()
    return outcomes


def foretold(machine: Machine, console: Console, access: Access, setup: Setup, store: Store) -> Plan:
    """What `provision` would find and do; neither host nor store is changed. Raises MachineError."""
    there = where(machine)
    machine.engine.check()
    with logged_in(machine, console, replace(access, lasting=False), ssh=there.ssh) as session:
        root = elevated(session, console, access)
        plan = replace(setup, url=there.url).plan(machine, console, root, store)
        return replace(plan, found=(way_in(session, root), *plan.found))
