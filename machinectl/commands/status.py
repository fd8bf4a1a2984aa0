"""`status` and `version`: what one machine's engine says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.hosts.pending import settle
from machinectl.hosts.states import state_of
from machinectl.machines.chosen import chosen_one
from machinectl.state import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.engine import Probe
    from machinectl.machines.store import Store


def status(store: Store, names: Sequence[str], timeout: float) -> Probe:
    """Ask a machine's engine how it is; `timeout` in seconds."""
    machine = store.read_ready(chosen_one(store, names))
    found = state_of(machine, timeout)
    if found.state is State.RUNNING:
        settle(store, machine.name, timeout)
    return found


def engine_version(store: Store, names: Sequence[str], timeout: float) -> str:
    """The version of a machine's engine. Raises MachineError where it does not answer."""
    name = chosen_one(store, names)
    found = status(store, [name], timeout)
    if not found.version:
        raise MachineError(found.error or f'The engine of "{name}" does not say its version', found.hint)
    return found.version
