"""Where a machine's engine is, and what opens it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from machinectl import engine
from machinectl.errors import MachineError

if TYPE_CHECKING:
    from machinectl.machines.record import Machine


def endpoint_of(machine: Machine) -> engine.Endpoint:
    """Where a machine's engine is, and what opens it: the certificates, or for ssh:// the machine's own key.

    Raises MachineError for ssh:// where there is no saying what leads there.
    """
    options = ssh_options(machine) if machine.url.startswith("ssh://") else ()
    return engine.Endpoint(
        machine.url, machine.tls, machine.directory, options, machine.name, takeover_command(machine)
    )


def takeover_command(machine: Machine) -> str:
    """The command that gives a machine's host certificates of its own, whoever set it up; "" where it has no SSH."""
    from machinectl.hosts.connection.machine_driver import endpoints_of

    try:
        ssh = endpoints_of(machine).ssh if machine.tls else None
    except MachineError:
        ssh = None
    # docker-machine's set-up is taken over without force.
    force = "" if machine.origin else "--force "
    return f"machinectl provision {force}{machine.name}" if ssh else ""


def ssh_options(machine: Machine) -> tuple[str, ...]:
    """What ssh is told beside what the user's own configuration says; the pin, also where the driver knows no more.

    Raises MachineError where there is no saying what leads to the host.
    """
    from machinectl.hosts.connection.machine_driver import driver_instance, driver_of, jump_host_of, known_hosts_path
    from machinectl.ssh.openssh.command_line import identity_arguments

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
