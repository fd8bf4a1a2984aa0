"""Read each record once, on demand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.machines.record import Machine
from machinectl.machines.store.store_paths import NoSuchMachine

if TYPE_CHECKING:
    from machinectl.machines.store import Store


class Records(Mapping[str, Machine | MachineError]):
    """Machines in natural order, or errors of reading them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: dict[str, Machine | MachineError | None] = dict.fromkeys(store.names())

    def __iter__(self) -> Iterator[str]:
        return iter(self._read)

    def __len__(self) -> int:
        return len(self._read)

    def __contains__(self, name: object) -> bool:
        return name in self._read

    def __getitem__(self, name: str) -> Machine | MachineError:
        """Raises KeyError if the machine was removed meanwhile, too."""
        found = self._read[name]
        if found is None:
            try:
                found = self._store.read(name)
            except NoSuchMachine as exc:
                raise KeyError(name) from exc
            except MachineError as exc:
                found = exc
            self._read[name] = found
        return found


class Readable(Mapping[str, Machine]):
    """The records that can be read."""

    def __init__(self, records: Mapping[str, Machine | MachineError]) -> None:
        self._records = records

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._records if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and isinstance(self._records.get(name), Machine)

    def __getitem__(self, name: str) -> Machine:
        found = self._records[name]
        if isinstance(found, MachineError):
            raise KeyError(name)
        return found
