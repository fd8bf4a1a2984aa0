"""`drivers`: which drivers are installed, from which package, and which of them fail to load and why."""

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
    """One installed driver; `error` is empty where it loads."""

    name: str
    package: str
    version: str
    entry_point: str
    error: str

    def fields(self) -> dict[str, str]:
        """The row as JSON holds it."""
        return go_names(asdict(self))


def drivers() -> list[DriverRow]:
    """Every installed driver, by name. Each is loaded, so that what is broken shows here and not at `create`."""
    return [row(found) for found in installed()]


def row(found: Installed) -> DriverRow:
    try:
        close_quietly(found.load())
        error = ""
    except MachineError as exc:
        error = exc.cause
    return DriverRow(found.name, found.package, found.version, found.origin, error)
