"""`drivers`: installed drivers and their errors."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from machinectl.driver.installed_drivers import close_quietly, installed
from machinectl.errors import MachineError
from machinectl.go.value_format import go_names

if TYPE_CHECKING:
    from machinectl.driver.installed_drivers import Installed


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
    return [driver_row(found) for found in installed()]


def driver_row(found: Installed) -> DriverRow:
    try:
        close_quietly(found.load())
        error = ""
    except MachineError as exc:
        error = exc.cause
    return DriverRow(found.name, found.package, found.version, found.origin, error)
