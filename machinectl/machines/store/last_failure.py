"""Record a machine's last failure, and when its host was in order."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from machinectl.files.atomic import StoreError, replace_file
from machinectl.machines.record import Machine, Phase
from machinectl.machines.store.machine_store import read_or_none
from machinectl.machines.store.store_paths import RECORD, now

if TYPE_CHECKING:
    from machinectl.machines.store import Held

# Characters; a cause may end with journal lines.
LONGEST_CAUSE = 4000


def record_failure(held: Held, cause: str) -> None:
    """Record only the failure, not `held.machine`. Ignores store errors."""
    with suppress(StoreError):
        set_failure(held, read_or_none(held.read, held.name), {"when": now(), "cause": cause[:LONGEST_CAUSE]})


def clear_failure(held: Held) -> None:
    """Keep a failure that explains why the machine is incomplete."""
    there = read_or_none(held.read, held.name)
    if there and there.failure and is_complete(there):
        set_failure(held, there, {})


def record_interruption(held: Held) -> None:
    """Remove an earlier failure: it is not why the machine is unfinished now."""
    there = read_or_none(held.read, held.name)
    if there and there.failure and not is_complete(there):
        with suppress(StoreError):
            set_failure(held, there, {})


def record_look(held: Held) -> None:
    """Record that the host matches now. Followers are not called."""
    machine = held.machine
    machine.looked_at = now()
    if is_complete(machine):
        machine.failure = {}
    replace_file(os.path.join(held.directory, RECORD), machine.dump())


def set_failure(held: Held, there: Machine | None, failure: dict[str, str]) -> None:
    if there:
        held.machine.failure = there.failure = failure
        held.touch()
        replace_file(os.path.join(held.directory, RECORD), there.dump())


def is_complete(machine: Machine) -> bool:
    return machine.phase == Phase.READY and not machine.pending
