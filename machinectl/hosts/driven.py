"""A machine and its driver: what the driver knows of it, and how what the driver says is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.driver import Instance
from machinectl.driver.finding import load
from machinectl.errors import MachineError
from machinectl.machines.record import Phase

if TYPE_CHECKING:
    from machinectl.driver import Driver, SSHEndpoint, Where
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held


def instance(machine: Machine) -> Instance:
    """A machine as its driver knows it."""
    return Instance(machine.name, machine.directory, machine.driver_state)


def driver_of(machine: Machine) -> Driver:
    """A machine's driver. Raises MachineError where the machine was never made, DriverError where it cannot be had."""
    if machine.phase is Phase.CREATING:
        raise MachineError(
            f'The creation of "{machine.name}" was interrupted: nothing is known of its host',
            f"Create it again, or forget it: machinectl rm {machine.name}",
        )
    return load(machine.driver)


def where(machine: Machine) -> Where:
    """Where a machine's engine and its SSH are, as its driver says."""
    return driver_of(machine).where(instance(machine))


def ssh_endpoint(machine: Machine) -> SSHEndpoint:
    """Where a machine's SSH is. Raises MachineError where it has none."""
    endpoint = where(machine).ssh
    if endpoint is None:
        raise MachineError(
            f'"{machine.name}" has no SSH: driver "{machine.driver}" does not know any',
            "Register its host with a driver that does: "
            "machinectl create -d generic --generic-ip-address <ADDRESS> <NAME>",
        )
    return endpoint


def keep_state(held: Held, driver: Driver, state: str) -> None:
    """Keep what a driver says of a machine from now on; where its engine is may be news, too."""
    machine = held.machine
    if state == machine.driver_state:
        return
    machine.driver_state = state
    # On record before anybody is asked anything more.
    held.write()
    now = driver.where(instance(machine)).url
    # The host of an engine that is reached over SSH alone says where its engine would be.
    if now and now != machine.url and not machine.url.startswith("ssh://"):
        machine.url = now
        held.write()
