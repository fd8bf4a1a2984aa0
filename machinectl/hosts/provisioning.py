"""What a machine's record asks of its host is carried out there, over one connection: what `provision` does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from machinectl.hosts.access import as_root
from machinectl.hosts.driven import where

if TYPE_CHECKING:
    from machinectl.console import Console
    from machinectl.hosts.access import Access
    from machinectl.hosts.setup import Outcome, Setup
    from machinectl.machines.store import Held


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
