"""Record a run's failure, and its last look at the host."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from machinectl.files.atomic import StoreError
from machinectl.machines.record import Machine, Phase
from machinectl.machines.store.machine_store import write_record
from machinectl.machines.store.store_paths import now

if TYPE_CHECKING:
    from machinectl.machines.store.machine_store import Held

# Characters; a cause may end with journal lines.
LONGEST_CAUSE = 4000


def record_failure(held: Held, cause: str) -> None:
    """Record only the failure, not `held.machine`. Ignores store errors."""
    with suppress(StoreError):
        set_failure(held, held.store.read_or_none(held.name), {"when": now(), "cause": cause[:LONGEST_CAUSE]})


def forget_failure(held: Held, *, complete: bool) -> None:
    """Remove a failure that explains nothing any more; of an incomplete machine, only if it was interrupted since."""
    machine = held.store.read_or_none(held.name)
    if machine and machine.failure and is_complete(machine) == complete:
        with suppress(StoreError):
            set_failure(held, machine, {})


def record_look(held: Held) -> None:
    """Record that the host matches now. Followers are not called."""
    machine = held.machine
    machine.looked_at = now()
    if is_complete(machine):
        machine.failure = {}
    write_record(machine)


def set_failure(held: Held, machine: Machine | None, failure: dict[str, str]) -> None:
    if machine:
        held.machine.failure = machine.failure = failure
        held.touch()
        write_record(machine)


def is_complete(machine: Machine) -> bool:
    return machine.phase == Phase.READY and not machine.pending
