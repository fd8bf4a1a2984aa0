"""A machine's engine: URL, and certificates or SSH options."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from machinectl import engine
from machinectl.errors import MachineError

if TYPE_CHECKING:
    from machinectl.machines.record import Machine


def endpoint_of(machine: Machine) -> engine.Endpoint:
    """Raise MachineError for ssh:// if the jump host is unknown."""
    options = ssh_options(machine) if machine.url.startswith("ssh://") else ()
    return engine.Endpoint(
        machine.url, machine.tls, machine.directory, options, machine.name, takeover_command(machine)
    )


def takeover_command(machine: Machine) -> str:
    """Return the command that replaces certificates set up by others, or ""."""
    from machinectl.hosts.connection.machine_driver import endpoints_of

    try:
        ssh = endpoints_of(machine).ssh if machine.tls else None
    except MachineError:
        ssh = None
    # A host that docker-machine set up needs no --force.
    force = "" if machine.origin else "--force "
    return f"machinectl provision {force}{machine.name}" if ssh else ""


def ssh_options(machine: Machine) -> tuple[str, ...]:
    """Return key, pinned host key (even if the driver fails), jump host. Raises MachineError for an unknown one."""
    from machinectl.hosts.connection.machine_driver import driver_instance, driver_of, jump_host_of, known_hosts_path
    from machinectl.ssh.openssh.ssh_options import identity_arguments

    try:
        ssh = driver_of(machine).where(driver_instance(machine)).ssh
    except MachineError:
        key = ""
    else:
        if ssh is None:
            return ()
        key = ssh.key
    pinned = known_hosts_path(machine)
    return tuple(identity_arguments(key, pinned if os.path.exists(pinned) else "", jump_host_of(machine)))
