"""Write removed machines whose hosts keep changes."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from machinectl.machines.store import Held, Store
from machinectl.machines.store.removed_machines import removed_machines

if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.machines.record import Machine


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
