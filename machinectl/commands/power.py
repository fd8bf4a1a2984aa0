"""`start`, `stop`, `restart` and `kill`: a host's power, by its driver's switch or else by asking the host over SSH."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.driver import NoPowerSwitch
from machinectl.errors import MachineError
from machinectl.hosts.access import elevated, keep_host_key, logged_in
from machinectl.hosts.driven import driver_of, instance, keep_state
from machinectl.hosts.each import each
from machinectl.hosts.presence import BOOT_ID, Watch
from machinectl.hosts.wake import wake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from machinectl.console import Console
    from machinectl.driver import SSHEndpoint
    from machinectl.hosts.access import Access
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store

    # Each machine, with the reason why it could not be done, or None where it is done.
    Outcomes = Iterator[tuple[str, MachineError | None]]

POWER_OFF = "if [ -d /run/systemd/system ]; then systemctl poweroff; else poweroff; fi"
REBOOT = "if [ -d /run/systemd/system ]; then systemctl reboot; else reboot; fi"


@dataclass(frozen=True)
class Power:
    """The verbs, and what they share. `timeout` is how long a host may take, in seconds."""

    store: Store
    console: Console
    access: Access
    timeout: float

    def start(self, names: Sequence[str]) -> Outcomes:
        """Switch hosts on and wait until SSH and the engine answer; what runs is left alone."""
        return self._each(names, self._start)

    def stop(self, names: Sequence[str]) -> Outcomes:
        """Shut hosts down and wait until nothing answers there any more."""
        return self._each(names, self._stop)

    def restart(self, names: Sequence[str]) -> Outcomes:
        """Reboot hosts and wait until each is back: it has booted again, and SSH and the engine answer."""
        return self._each(names, self._restart)

    def kill(self, names: Sequence[str]) -> Outcomes:
        """Switch hosts off without asking them."""
        return self._each(names, self._kill)

    def _each(self, names: Sequence[str], switch: Callable[[Held, Console, Access], None]) -> Outcomes:
        return each(self.store, self.console, names, self.access, switch)

    def _start(self, held: Held, console: Console, access: Access) -> None:
        machine, driver = held.machine, driver_of(held.machine)
        watch = self._watch(machine, console, access)
        if watch.is_up():
            console.note(f'"{machine.name}" is running already')
            return
        wake_it = None
        try:
            keep_state(held, driver, driver.start(instance(machine)))
        except NoPowerSwitch as exc:
            if watch.way is None:
                raise
            wake_it = waker(machine, exc, watch.way)
            wake_it()
        else:
            # Its address may be another one now.
            watch = self._watch(machine, console, access)
        with console.step(f'Waiting until "{machine.name}" has booted, and its SSH and its engine answer'):
            watch.until_back(wake=wake_it)

    def _stop(self, held: Held, console: Console, access: Access) -> None:
        machine, driver = held.machine, driver_of(held.machine)
        watch = self._watch(machine, console, access)
        try:
            keep_state(held, driver, driver.stop(instance(machine)))
        except NoPowerSwitch:
            if watch.way is None:
                raise
            ask_host(held, console, access, watch.way, POWER_OFF)
            with console.step(f'Waiting until "{machine.name}" is off'):
                watch.until_silent()

    def _restart(self, held: Held, console: Console, access: Access) -> None:
        machine, driver = held.machine, driver_of(held.machine)
        watch = self._watch(machine, console, access)
        # An engine that cannot be reached now, which a reboot may not mend, is not waited for.
        answered = watch.engine_answers()
        before = ""
        try:
            keep_state(held, driver, driver.restart(instance(machine)))
        except NoPowerSwitch:
            if watch.way is None:
                raise
            before = ask_host(held, console, access, watch.way, REBOOT)
        else:
            watch = self._watch(machine, console, access)
        what = "its SSH and its engine answer" if answered else "its SSH answers"
        with console.step(f'Waiting until "{machine.name}" has booted again, and {what}'):
            watch.until_back(before=before, with_engine=answered)

    def _kill(self, held: Held, _: Console, __: Access) -> None:
        driver = driver_of(held.machine)
        keep_state(held, driver, driver.kill(instance(held.machine)))

    def _watch(self, machine: Machine, console: Console, access: Access) -> Watch:
        ssh = driver_of(machine).where(instance(machine)).ssh
        return Watch(machine, access, ssh, self.timeout, console.pause)


def ask_host(held: Held, console: Console, access: Access, ssh: SSHEndpoint, command: str) -> str:
    """Run a command as root that ends the boot; return that boot's ID."""
    from machinectl.ssh.errors import CommandFailed, CommandTimeout, RootRefused, SSHError

    with logged_in(held.machine, console, access, ssh=ssh) as session:
        keep_host_key(held, session)
        root = elevated(session, console, access)
        boot = session.run(BOOT_ID).text
        try:
            root.run(command)
        except (CommandFailed, CommandTimeout, RootRefused):
            raise
        except SSHError:
            # The host was quicker to hang up than to answer.
            pass
    return boot


def waker(machine: Machine, no_switch: NoPowerSwitch, way: SSHEndpoint) -> Callable[[], None]:
    """What wakes a host by its network card. Raises MachineError where the card's address is not known."""
    mac = no_switch.mac or machine.mac
    if not mac:
        raise MachineError(
            f'"{machine.name}" cannot be woken: the address of its network card (MAC) is not known',
            "It is learnt when the machine is provisioned, or given at create: --generic-mac",
        ) from no_switch
    return lambda: wake(mac, way.host)
