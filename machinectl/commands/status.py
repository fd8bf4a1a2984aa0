"""`status` and `version`: what one machine's engine says of itself."""

from __future__ import annotations

import os
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
    """Where a machine's engine is, and what opens it: the certificates, or for ssh:// the machine's own key."""
    options = ssh_options(store, machine) if machine.url.startswith("ssh://") else ()
    return engine.Endpoint(machine.url, machine.tls, store.directory(machine.name), options, machine.name)


def ssh_options(store: Store, machine: Machine) -> tuple[str, ...]:
    """What ssh is told beside what the user's own configuration says; nothing where the driver knows no more."""
    from machinectl.commands.access import driver_of, known_hosts_path
    from machinectl.ssh.openssh import identity

    try:
        driver, instance = driver_of(store, machine)
        ssh = driver.ssh(instance)
    except MachineError:
        return ()
    if ssh is None:
        return ()
    pinned = known_hosts_path(store, machine.name)
    return tuple(identity(ssh.key, pinned if os.path.exists(pinned) else ""))


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
