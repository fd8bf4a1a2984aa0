"""`inspect --json`: all that is known of a machine, as our own record has it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from machinectl.machines.docker_machine import driver_state
from machinectl.masking import without_secrets

if TYPE_CHECKING:
    from machinectl.machines.record import Machine


def ours(machine: Machine, directory: str) -> dict[str, Any]:
    """The record's own fields and the machine's directory; passwords and other secrets are shown as ***.

    The driver's state is what its JSON says, None where it is not a JSON object.
    """
    return {
        "name": machine.name,
        "driver": machine.driver,
        "options": without_secrets(machine.options),
        "driver_state": without_secrets(driver_state(machine)),
        "url": without_secrets(machine.url),
        "tls": machine.tls,
        "phase": str(machine.phase),
        "made": machine.made,
        "provision": machine.provision,
        "labels": dict(machine.labels),
        "engine": without_secrets(machine.engine.dump()),
        "mac": machine.mac,
        "pending": machine.pending,
        "failure": without_secrets(machine.failure),
        "changes": without_secrets([change.dump() for change in machine.changes]),
        "directory": os.path.abspath(directory),
    }
