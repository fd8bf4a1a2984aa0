"""`start`, `stop`, `restart` and `kill`: a host's power, by its driver's switch or else by asking the host over SSH."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.driver import NoPowerSwitch
from machinectl.errors import MachineError
from machinectl.hosts.access import driver_of, keep_host_key, logged_in
from machinectl.hosts.presence import BOOT_ID, Watch
from machinectl.hosts.wake import wake
from machinectl.machines.chosen import chosen, waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from machinectl.console import Console
    from machinectl.driver import Driver, Instance, SSHEndpoint
    from machinectl.hosts.access import Access
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

    # Each machine, with the reason why it could not be done, or None where it is done.
    Outcomes = Iterator[tuple[str, MachineError | None]]

POWER_OFF = "if [ -d /run/systemd/system ]; then systemctl poweroff; else poweroff; fi"
REBOOT = "if [ -d /run/systemd/system ]; then systemctl reboot; else reboot; fi"


@dataclass(frozen=True)
class Pending:
    """A host that was told, and what is still to come; `wait` raises MachineError where it does not."""

    title: str
    wait: Callable[[], None]


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

    def _each(self, names: Sequence[str], tell: Callable[[Machine, Access], Pending | None]) -> Outcomes:
        """Tell one host after the other, as each may want a password; then wait for all of them at once."""
        told = []
        with ExitStack() as locks:
            # Sorted: two runs that cross each other do not wait for each other for ever.
            for name in sorted(set(chosen(self.store, names))):
                try:
                    self.store.check_exists(name)
                    locks.enter_context(self.store.lock(name, waiting(self.console, name)))
                    pending = tell(self.store.read(name), self.access.for_one_host())
                except MachineError as exc:
                    yield name, exc
                    continue
                if pending is None:
                    yield name, None
                else:
                    told.append((name, pending.title, in_background(pending.wait)))
            for name, title, done in told:
                try:
                    with self.console.step(title):
                        done.result()
                except MachineError as exc:
                    yield name, exc
                else:
                    yield name, None

    def _start(self, machine: Machine, access: Access) -> Pending | None:
        driver, instance = driver_of(self.store, machine)
        watch = self._watch(machine, driver, instance, access)
        if watch.is_up():
            self.console.note(f'"{machine.name}" is running already')
            return None
        wake_it = None
        try:
            driver.start(instance)
        except NoPowerSwitch as exc:
            if watch.way is None:
                raise
            wake_it = waker(machine, exc, watch.way)
            wake_it()
        return Pending(
            f'Waiting until "{machine.name}" has booted, and its SSH and its engine answer',
            lambda: watch.until_back(wake=wake_it),
        )

    def _stop(self, machine: Machine, access: Access) -> Pending | None:
        driver, instance = driver_of(self.store, machine)
        watch = self._watch(machine, driver, instance, access)
        try:
            driver.stop(instance)
        except NoPowerSwitch:
            if watch.way is None:
                raise
            self._ask_host(machine, access, POWER_OFF)
            return Pending(f'Waiting until "{machine.name}" is off', watch.until_silent)
        return None

    def _restart(self, machine: Machine, access: Access) -> Pending:
        driver, instance = driver_of(self.store, machine)
        watch = self._watch(machine, driver, instance, access)
        # An engine that cannot be reached now, which a reboot may not mend, is not waited for.
        answered = watch.engine_answers()
        before = ""
        try:
            driver.restart(instance)
        except NoPowerSwitch:
            if watch.way is None:
                raise
            before = self._ask_host(machine, access, REBOOT)
        what = "its SSH and its engine answer" if answered else "its SSH answers"
        return Pending(
            f'Waiting until "{machine.name}" has booted again, and {what}',
            lambda: watch.until_back(before=before, with_engine=answered),
        )

    def _kill(self, machine: Machine, _: Access) -> None:
        driver, instance = driver_of(self.store, machine)
        driver.kill(instance)

    def _watch(self, machine: Machine, driver: Driver, instance: Instance, access: Access) -> Watch:
        return Watch(self.store, machine, access, driver.ssh(instance), self.timeout)

    def _ask_host(self, machine: Machine, access: Access, command: str) -> str:
        """Run a command as root that ends the boot; return that boot's ID."""
        from machinectl.ssh.errors import CommandFailed, CommandTimeout, RootRefused, SSHError
        from machinectl.ssh.sudo import elevate

        with logged_in(self.store, self.console, machine, access) as session:
            keep_host_key(self.store, machine, session)
            root = elevate(session, access.credentials, self.console)
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
    mac = no_switch.mac or str(machine.engine.get("mac", ""))
    if not mac:
        raise MachineError(
            f'"{machine.name}" cannot be woken: the address of its network card (MAC) is not known',
            "It is learnt when the machine is provisioned, or given at create: --generic-mac",
        ) from no_switch
    return lambda: wake(mac, way.host)


def in_background(work: Callable[[], None]) -> Future[None]:
    """Run something in a thread that nobody waits for at exit: ^C ends the waiting at once."""
    future: Future[None] = Future()

    def run() -> None:
        try:
            work()
            future.set_result(None)
        except BaseException as exc:  # noqa: BLE001 - raised again where the result is asked for
            future.set_exception(exc)

    threading.Thread(target=run, daemon=True).start()
    return future
