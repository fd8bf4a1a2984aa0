"""`status` and `version`: what one machine's engine says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl import engine
from machinectl.commands.naming import chosen_one
from machinectl.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.engine import Probe
    from machinectl.machine import Machine
    from machinectl.store import Store


def endpoint(store: Store, machine: Machine) -> engine.Endpoint:
    """Where a machine's engine is, and the certificates to show it."""
    return engine.Endpoint(machine.url, machine.tls, store.directory(machine.name), name=machine.name)


def status(store: Store, names: Sequence[str], timeout: float) -> Probe:
    """Ask a machine's engine how it is; `timeout` in seconds."""
    machine = store.read_ready(chosen_one(store, names))
    return engine.probe(endpoint(store, machine), timeout)


def engine_version(store: Store, names: Sequence[str], timeout: float) -> str:
    """The version of a machine's engine. Raises MachineError where it does not answer."""
    name = chosen_one(store, names)
    found = status(store, [name], timeout)
    if not found.version:
        raise MachineError(found.error or f'The engine of "{name}" does not say its version', found.hint)
    return found.version
