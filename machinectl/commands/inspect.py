"""`inspect --json`: a machine's record."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from machinectl.json_values import go_names
from machinectl.machines.config_json import driver_state
from machinectl.machines.holders import holders_of
from machinectl.masking import without_secrets

if TYPE_CHECKING:
    from machinectl.machines.holders import AccessHolder
    from machinectl.machines.record import Machine


def inspect_fields(machine: Machine, directory: str) -> dict[str, Any]:
    """Mask secrets. `DriverState` is None unless it is a JSON object."""
    return {
        "Name": machine.name,
        "DriverName": machine.driver,
        "Options": without_secrets(machine.options),
        "DriverState": without_secrets(driver_state(machine)),
        "URL": without_secrets(machine.url),
        "TLS": machine.tls,
        "Phase": machine.phase,
        "Made": machine.made,
        "Provision": machine.provision,
        "Context": machine.context,
        "Jump": machine.jump,
        "Addresses": list(machine.addresses),
        "Labels": dict(machine.labels),
        "Engine": go_names(without_secrets(machine.engine.dump())),
        "MAC": machine.mac,
        "Origin": go_names(without_secrets(machine.origin)),
        "Access": go_names(dict(machine.access)),
        "AccessLifetime": machine.lifetime,
        "Holders": [holder_fields(holder) for holder in holders_of(machine)],
        "Pending": machine.pending,
        "Failure": go_names(without_secrets(machine.failure)),
        "LookedAt": machine.last_look,
        # An unknown change may have any type.
        "Changes": [
            go_names(masked) if isinstance(masked := without_secrets(change.dump()), dict) else masked
            for change in machine.changes
        ],
        "Directory": os.path.abspath(directory),
    }


def holder_fields(holder: AccessHolder) -> dict[str, Any]:
    keys = [{"Key": key.key, "Until": key.until, "Request": key.request, "State": key.state} for key in holder.keys]
    words = {"Kind": holder.kind, "CA": holder.ca, "State": holder.state, "By": holder.by, "Since": holder.since}
    return {"Who": holder.who, **words, "Keys": keys}
