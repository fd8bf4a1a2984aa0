"""`drivers`: installed drivers and their errors."""

from __future__ import annotations

from machinectl.driver.installed_drivers import close_quietly, installed
from machinectl.errors import MachineError


def drivers() -> list[dict[str, str]]:
    """Load each driver, to show a broken one before `create`."""
    rows = []
    for found in installed():
        error = ""
        try:
            close_quietly(found.load())
        except MachineError as exc:
            error = exc.cause
        about = {"Name": found.name, "Package": found.package, "Version": found.version, "EntryPoint": found.origin}
        rows.append({**about, "Error": error})
    return rows
