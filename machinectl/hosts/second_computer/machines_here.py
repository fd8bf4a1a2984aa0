"""The machines of this computer, read once for an import, and found by what may be the same in an export."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.machines.addresses import Places
from machinectl.machines.store.record_cache import Readable, Records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store


class MachinesHere:
    def __init__(self, store: Store) -> None:
        records = Records(store)
        # As file names may be, by lower case.
        self._names = {name.lower(): name for name in records}
        self._machines: dict[str, Machine] = {}
        self._by_url: dict[tuple[str, str], list[Machine]] = {}
        self._places = Places(())
        for machine in Readable(records).values():
            self.add(machine)

    def add(self, machine: Machine) -> None:
        self._names[machine.name.lower()] = machine.name
        self._machines[machine.name] = machine
        self._by_url.setdefault((machine.driver, machine.url), []).append(machine)
        self._places.add(machine)

    def name_of(self, name: str) -> str:
        """Return the machine that has a name in any case, "" if it is free."""
        return self._names.get(name.lower(), "")

    def at_place_of(self, new: Machine) -> list[Machine]:
        """Return those of the same driver at the same URL."""
        return self._by_url.get((new.driver, new.url), [])

    def alike(self, new: Machine) -> list[Machine]:
        """Return those with the name of a new machine, which come first, or at its place."""
        named = self._machines.get(self.name_of(new.name))
        return [*([named] if named else []), *(each for each in self.at_place_of(new) if each is not named)]

    def taken_addresses(self, new: Machine) -> Iterator[tuple[str, str]]:
        """Yield the further addresses of a machine that another one has, and its name."""
        return self._places.taken(new.name, new.url, new.addresses)
