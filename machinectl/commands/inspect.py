"""`inspect --json`: all that is known of a machine, as our own record has it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from machinectl.machines.docker_machine import driver_state

if TYPE_CHECKING:
    from machinectl.machines.record import Machine

SECRET_NAME = re.compile(r"pass(wor|phrase|wd)|secret|token|credential|(api|access|private)[-_]?key", re.IGNORECASE)
# A path to a secret is none.
NO_SECRET_NAME = re.compile(r"(path|file|dir)$", re.IGNORECASE)
PASSWORD_IN_URL = re.compile(r"(?<=://)([^/@:\s]*):[^/@\s]*@")
HIDDEN = "***"


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


def without_secrets(value: Any) -> Any:
    """The same value with *** for what is named like a secret, and for passwords in URLs."""
    if isinstance(value, dict):
        return {key: HIDDEN if is_secret(key) and one else without_secrets(one) for key, one in value.items()}
    if isinstance(value, list):
        return [without_secrets(one) for one in value]
    if isinstance(value, str):
        return without_secret(value)
    return value


def without_secret(text: str) -> str:
    """The same text, which may be a URL, an environment variable NAME=VALUE or an engine's log-opt=NAME=VALUE."""
    parts = text.split("=")
    for count, name in enumerate(parts[:-1], start=1):
        if is_secret(name):
            return "=".join([*parts[:count], HIDDEN])
    return PASSWORD_IN_URL.sub(rf"\1:{HIDDEN}@", text)


def is_secret(name: str) -> bool:
    return bool(SECRET_NAME.search(name)) and not NO_SECRET_NAME.search(name)
