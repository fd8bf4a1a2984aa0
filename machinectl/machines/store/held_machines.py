"""What is done to a machine that this process holds: its last failure, its files as one set, its changes if removed."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from machinectl.files.atomic import StoreError, replace_file
from machinectl.machines.record import Machine, Phase
from machinectl.machines.store.machine_store import Held, Store, read_or_none
from machinectl.machines.store.removed_machines import removed_machines
from machinectl.machines.store.store_paths import RECORD, now

if TYPE_CHECKING:
    from collections.abc import Callable

# Characters; a cause may end with journal lines.
LONGEST_CAUSE = 4000


def record_failure(held: Held, cause: str) -> None:
    """Record only the failure, not `held.machine`. Ignores store errors."""
    with suppress(StoreError):
        set_failure(held, read_or_none(held.read, held.name), {"when": now(), "cause": cause[:LONGEST_CAUSE]})


def forget_failure(held: Held, *, complete: bool) -> None:
    """Remove a failure that explains nothing any more; of an incomplete machine, only if it was interrupted since."""
    machine = read_or_none(held.read, held.name)
    if machine and machine.failure and is_complete(machine) == complete:
        with suppress(StoreError):
            set_failure(held, machine, {})


def record_look(held: Held) -> None:
    """Record that the host matches now. Followers are not called."""
    machine = held.machine
    machine.looked_at = now()
    if is_complete(machine):
        machine.failure = {}
    replace_file(os.path.join(held.directory, RECORD), machine.dump())


def set_failure(held: Held, machine: Machine | None, failure: dict[str, str]) -> None:
    if machine:
        held.machine.failure = machine.failure = failure
        held.touch()
        replace_file(os.path.join(held.directory, RECORD), machine.dump())


def is_complete(machine: Machine) -> bool:
    return machine.phase == Phase.READY and not machine.pending


def read_removed(store: Store, name: str) -> Machine:
    """Return a removed machine. Raises NoSuchMachine."""
    for machine in removed_machines(store):
        if machine.name == name:
            return machine
    raise store.no_such(name)


class HeldRemoved(Held):
    """A removed machine, locked as in `Store.writing`. Followers are not called."""

    def __init__(self, store: Store, name: str, waiting: Callable[[], None] | None = None) -> None:
        super().__init__(store, name, waiting, read=partial(read_removed, store), followers=())

    @property
    def directory(self) -> str:
        return os.path.join(self.store.removed, self.name)

    def set_aside(self) -> str:
        return self.name
