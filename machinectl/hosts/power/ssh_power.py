"""Switch hosts over SSH if their drivers have no power switch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from machinectl.driver import NoPowerSwitch
from machinectl.driver.driver_options import option_flag
from machinectl.errors import Hint, MachineError
from machinectl.hosts.connection.login import logged_in, pin_known_hosts, root_runner
from machinectl.hosts.power.boot_watch import BOOT_ID
from machinectl.hosts.power.wake_on_lan import send_wake_packet
from machinectl.machines.machine_driver import check_ssh_not_withheld, driver_instance, driver_of, endpoints_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.console import Console
    from machinectl.driver import SSHEndpoint
    from machinectl.hosts.connection.login import Login
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held
    from machinectl.ssh.runner import Runner

POWER_OFF = "if [ -d /run/systemd/system ]; then systemctl poweroff; else poweroff; fi"
REBOOT = "if [ -d /run/systemd/system ]; then systemctl reboot; else reboot; fi"


def ssh_power(machine: Machine, verb: str) -> tuple[SSHEndpoint, str] | None:
    """Return SSH and MAC address ("" if unknown), or None if the driver has a power switch.

    Raises the driver's error if SSH cannot replace it.
    """
    check_ssh_not_withheld(machine)
    refused = driver_of(machine).no_power(driver_instance(machine), verb)
    if refused is None:
        return None
    way = endpoints_of(machine).ssh
    if way is None or not isinstance(refused, NoPowerSwitch):
        raise refused
    return way, refused.mac or machine.mac


def end_boot(
    held: Held,
    console: Console,
    login: Login,
    ssh: SSHEndpoint,
    command: str,
    before: Callable[[Runner], None] = lambda _: None,
) -> str:
    """Call `before`, run a root command that ends the boot, and return the boot's ID."""
    from machinectl.ssh.ssh_errors import CommandFailed, CommandTimeout, RootRefused, SSHError

    with logged_in(held.machine, console, login, ssh=ssh, pin=partial(pin_known_hosts, held)) as session:
        root = root_runner(session, console, login)
        boot = session.run(BOOT_ID).text
        before(session)
        try:
            root.run(command)
        except (CommandFailed, CommandTimeout, RootRefused):
            raise
        except SSHError:
            # The host closed the connection before it answered.
            pass
    return boot


@dataclass(frozen=True)
class WakeUp:
    """Sends a Wake-on-LAN packet."""

    mac: str
    host: str

    def __call__(self) -> None:
        send_wake_packet(self.mac, self.host)


def wake_function(machine: Machine) -> WakeUp | None:
    """Return None if the driver has a power switch. Raises MachineError without a MAC address."""
    asked = ssh_power(machine, "start")
    if asked is None:
        return None
    way, mac = asked
    if not mac:
        check_ssh_not_withheld(machine)
        raise MachineError(
            f'"{machine.name}" cannot be woken: the address of its network card (MAC) is not known',
            how_to_wake(machine, way),
        )
    return WakeUp(mac, way.host)


def how_to_wake(machine: Machine, way: SSHEndpoint) -> Hint:
    for option in driver_of(machine).options():
        if option.name.endswith("mac"):
            text = f"Find it with ip neigh show {way.host}, or on the router, and set it"
            return Hint(text, f"machinectl set {option_flag(option)} <MAC>", machine.name)
    return Hint("Switch it on by hand; to record the address", "machinectl provision", machine.name)
