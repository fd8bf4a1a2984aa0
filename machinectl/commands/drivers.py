"""`drivers`: installed drivers and their errors."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from machinectl.driver.installed_drivers import close_quietly, installed
from machinectl.errors import MachineError
from machinectl.go.value_format import go_names


@dataclass(frozen=True)
class DriverRow:
    name: str
    package: str
    version: str
    entry_point: str
    error: str

    def fields(self) -> dict[str, str]:
        return go_names(asdict(self))


def drivers() -> list[DriverRow]:
    """Load each driver, to show a broken one before `create`."""
    rows = []
    for found in installed():
        error = ""
        try:
            close_quietly(found.load())
        except MachineError as exc:
            error = exc.cause
        rows.append(DriverRow(found.name, found.package, found.version, found.origin, error))
    return rows
