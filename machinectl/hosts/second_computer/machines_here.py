"""The machines of this computer, read once for an import, and found by name, URL and addresses."""

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
        # By lower case: some file systems ignore case.
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
        """Return the name of a machine here that is the same but for case, "" if there is none."""
        return self._names.get(name.lower(), "")

    def at_place_of(self, new: Machine) -> list[Machine]:
        """Return the machines with the same driver and URL."""
        return self._by_url.get((new.driver, new.url), [])

    def alike(self, new: Machine) -> list[Machine]:
        """Return the machine with the name of a new one first, then those with the same driver and URL."""
        named = self._machines.get(self.name_of(new.name))
        return [*([named] if named else []), *(each for each in self.at_place_of(new) if each is not named)]

    def taken_addresses(self, new: Machine) -> Iterator[tuple[str, str]]:
        """Yield each further address of a new machine that another machine has, and that machine's name."""
        return self._places.taken(new.name, new.url, new.addresses)
