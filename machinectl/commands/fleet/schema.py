"""`fleet schema`: the JSON Schema of fleet files, for editors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from machinectl.fleet import json_schema
from machinectl.fleet.fleet_keys import Drivers

if TYPE_CHECKING:
    from machinectl.console import Console


def fleet_schema(console: Console) -> dict[str, Any]:
    """Warn about broken drivers."""
    drivers = Drivers()
    made = json_schema.make_schema(drivers)
    for error in drivers.broken():
        console.warn(f"{error.cause}: its options are left out")
    return made
