"""Follow a machine through renames, and notice its removal, while something works for it."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from machinectl.errors import Hint
from machinectl.hosts.query_engines import ready_endpoint
from machinectl.machines.store.store_paths import NoSuchMachine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.engine import Endpoint
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

# Seconds between two looks at the store.
LOOK_SECONDS = 1.0


class PresentName:
    """A machine's name now. `rename` moves its directory, so `directory` (open) still tells which one it is."""

    def __init__(self, store: Store, name: str, directory: int) -> None:
        self.name = name
        self.store = store
        self.directory = directory

    def find(self) -> str:
        """Return the name now. Raises NoSuchMachine once the machine is removed."""
        if not self.store.exists(self.name):
            for name in self.store.names():
                with suppress(OSError):
                    if os.path.samestat(os.fstat(self.directory), os.stat(self.store.directory(name))):
                        self.name = name
                        return name
            raise NoSuchMachine(f'"{self.name}" does not exist any more', Hint("List the machines", "machinectl ls"))
        return self.name

    def read(self) -> Machine:
        """Raises MachineError."""
        return self.store.read(self.find())

    def endpoint(self) -> Endpoint:
        """Raises MachineError."""
        return ready_endpoint(self.store, self.find())


@contextmanager
def present_name(store: Store, name: str) -> Iterator[PresentName]:
    """Raises NoSuchMachine."""
    store.check_exists(name)
    # While it is open, no other directory gets its number (st_ino).
    directory = os.open(store.directory(name), os.O_RDONLY)
    try:
        yield PresentName(store, name, directory)
    finally:
        os.close(directory)
