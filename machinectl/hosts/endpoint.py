"""Where a machine's engine is, and what opens it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from machinectl import engine
from machinectl.errors import MachineError

if TYPE_CHECKING:
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store


def endpoint(store: Store, machine: Machine) -> engine.Endpoint:
    """Where a machine's engine is, and what opens it: the certificates, or for ssh:// the machine's own key."""
    options = ssh_options(store, machine) if machine.url.startswith("ssh://") else ()
    return engine.Endpoint(machine.url, machine.tls, store.directory(machine.name), options, machine.name)


def ssh_options(store: Store, machine: Machine) -> tuple[str, ...]:
    """What ssh is told beside what the user's own configuration says; nothing where the driver knows no more."""
    from machinectl.hosts.access import driver_of, known_hosts_path
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
