"""End holders along with other work on a host that restarts its engine."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from machinectl.errors import CheckFailed, UsageError
from machinectl.hosts.certificates.holder_files import finish_endings
from machinectl.hosts.certificates.identity import Identity
from machinectl.machines.holders import ENDING, holders_of, put_holder
from machinectl.provision.decision import RolledBack
from machinectl.value_classes import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.console import Console
    from machinectl.machines.store import Held


@contextmanager
def ending_holders(held: Held, console: Console, ca: bytes) -> Iterator[None]:
    """Record the holders as ended that the host refuses after the body.

    These are the ones that were to end. If `ca` (PEM) replaces the machine's, by which the holders verify the engine,
    these are all. They are on record as ending before the host is changed, and stay if it rolls back.
    """
    machine = held.machine
    before = machine.holders
    if before and ca not in {b"", Identity.read(held.directory).ca}:
        for holder in holders_of(machine):
            put_holder(machine, replace(holder, state=ENDING))
        held.write()
    try:
        yield
    except (CheckFailed, RolledBack, UsageError):
        if machine.holders != before:
            machine.holders = before
            held.write()
        raise
    if ended := finish_endings(held):
        console.note(f'The access of {", ".join(ended)} to "{machine.name}" has ended')
