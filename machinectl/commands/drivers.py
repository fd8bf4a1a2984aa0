"""`drivers`: which drivers are installed, from which package, and which of them fail to load and why."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from machinectl import driver
from machinectl.errors import MachineError


@dataclass(frozen=True)
class Row:
    """One installed driver; `error` is empty where it loads."""

    name: str
    package: str
    version: str
    entry_point: str
    error: str


def drivers() -> list[dict[str, str]]:
    """Every installed driver, by name. Each is loaded, so that what is broken shows here and not at `create`."""
    return [asdict(row(found)) for found in driver.installed()]


def row(found: driver.Installed) -> Row:
    try:
        driver.start_up(found.name, found.entry_point)
        error = ""
    except MachineError as exc:
        error = exc.cause
    return Row(found.name, found.package, found.version, found.entry_point.value, error)
