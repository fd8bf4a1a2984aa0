"""`status` and `version`: query one engine."""

from __future__ import annotations

from machinectl.errors import Hint, MachineError
from machinectl.hosts.machine_states import state_of
from machinectl.hosts.pending_certificates import settle_pending
from machinectl.machines.selection import chosen_one
from machinectl.state import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from machinectl.engine import Probe
    from machinectl.machines.store import Store


def status(store: Store, names: Sequence[str], timeout: float) -> tuple[str, Probe]:
    machine = store.read_ready(chosen_one(store, names))
    found = state_of(machine, timeout)
    if found.state is State.RUNNING:
        settle_pending(store, machine.name, timeout)
    return machine.name, found


def status_fields(name: str, found: Probe) -> dict[str, Any]:
    return {
        "Name": name,
        "State": str(found.state),
        "Version": found.version,
        "APIVersion": found.api_version,
        "Error": found.error,
        "Seconds": round(found.seconds, 3),
        "Hint": found.hint,
    }


def engine_version(store: Store, names: Sequence[str], timeout: float) -> tuple[str, Probe]:
    """Raise MachineError if the engine does not answer."""
    name, found = status(store, names, timeout)
    if not found.version:
        why = "was not asked: --timeout is 0" if found.state is State.UNKNOWN else "does not say its version"
        raise MachineError(
            found.error or f'The engine of "{name}" {why}', found.hint or Hint("", "machinectl version", name)
        )
    return name, found
