"""Start, stop, restart and kill hosts, by the driver or over SSH."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from machinectl import engine
from machinectl.console import StateNote, confirm
from machinectl.driver import NoPowerSwitch
from machinectl.engine import swarm_api
from machinectl.errors import NO_HINT, Declined, Hint, MachineError
from machinectl.hosts.boot_watch import BOOT_ID, LOOK, MAC, PRINT_MAC_ADDRESS, WAKE_AGAIN, HostWatch, send_wake_packet
from machinectl.hosts.host_plan import HostPlan, Outcome
from machinectl.hosts.login import logged_in, pin_known_hosts, root_runner
from machinectl.hosts.workers import plan_each, work_on_each
from machinectl.machines.machine_driver import (
    check_ssh_not_withheld,
    driver_instance,
    driver_of,
    endpoint_of,
    endpoints_of,
    flag_of_set,
    save_driver_state,
)
from machinectl.machines.swarm_node import on_record
from machinectl.quantities import plural
from machinectl.swarm_nodes import draining

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.console import Console
    from machinectl.driver import SSHEndpoint
    from machinectl.hosts.login import Login
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store
    from machinectl.ssh.runner import Runner


# /info takes a few thousand bytes.
LONGEST_ANSWER = 1 << 20
NO_MAC = "the address of its network card (MAC) is not known"
END_BOOT = {
    "stop": "if [ -d /run/systemd/system ]; then systemctl poweroff; else poweroff; fi",
    "restart": "if [ -d /run/systemd/system ]; then systemctl reboot; else reboot; fi",
}
PLANNED = {
    "start": "Switching its host on, and waiting until it answers",
    "stop": "Shutting its host down, and waiting until it is off",
    "restart": "Rebooting its host, and waiting until it answers again",
    "kill": "Switching its host off without asking it",
}


@dataclass(frozen=True)
class PowerSwitch:
    """`timeout` is per host. `yes` skips questions about running containers.

    Each verb returns False if the host was already in that state.
    """

    timeout: float
    yes: bool = False

    def plan(self, verb: str, machine: Machine, console: Console, login: Login) -> HostPlan:
        """Raise MachineError as the verb would."""
        if verb == "start" and self._watch(machine, console, login).is_up():
            return HostPlan((f'"{machine.name}" is running already',))
        way = ssh_power(machine, verb)
        if verb == "kill" and way:
            raise way.refused
        if verb == "start" and way:
            way.check_wakeable(machine)
        count = container_count(machine)
        return HostPlan((count,) if count else (), (Outcome(PLANNED[verb], changed=True),))

    def start(self, held: Held, console: Console, login: Login) -> bool:
        """Wait until SSH and the engine answer."""
        machine, driver = held.machine, driver_of(held.machine)
        watch = self._watch(machine, console, login)
        if watch.is_up():
            silent = machine.url and not watch.engine_answers()
            note = ", but its engine does not answer" if silent else ""
            repair = Hint("Repair it", "machinectl provision", machine.name) if silent else NO_HINT
            console.note(StateNote(f'"{machine.name}" is running already{note}'), repair)
            return False
        way, wake = ssh_power(machine, "start"), None
        if way is None:
            save_driver_state(held, driver, driver.start(driver_instance(machine)))
            # Its address may have changed.
            watch = self._watch(machine, console, login)
        else:
            way.check_wakeable(machine)
            wake = partial(send_wake_packet, way.mac, way.ssh.host)
            wake()
            console.note(f'Wake-on-LAN packets go to "{machine.name}" ({way.mac}), every {WAKE_AGAIN:.0f} s')
        with self._waiting(console, f'Waiting until "{machine.name}" has booted, and its SSH and its engine answer'):
            watch.until_back(wake=wake)
        return True

    def stop(self, held: Held, console: Console, login: Login) -> bool:
        """Wait until nothing answers."""
        machine, driver = held.machine, driver_of(held.machine)
        way = ssh_power(machine, "stop")
        if way and self._watch(machine, console, login).is_off():
            console.note(StateNote(f'"{machine.name}" is stopped already: nothing answers there'))
            return False
        self._ask_about_containers(machine, console, "stop")
        if way is None:
            save_driver_state(held, driver, driver.stop(driver_instance(machine)))
            return True
        self._end_boot(held, console, login, way, "stop")
        with self._waiting(console, f'Waiting until "{machine.name}" is off'):
            self._watch(machine, console, login).until_silent()
        return True

    def restart(self, held: Held, console: Console, login: Login) -> bool:
        """Wait until SSH and the engine answer after the boot."""
        machine, driver = held.machine, driver_of(held.machine)
        way = ssh_power(machine, "restart")
        self._ask_about_containers(machine, console, "restart")
        watch = self._watch(machine, console, login)
        # A reboot may not repair an engine that already failed.
        answered = watch.engine_answers()
        before = ""
        with draining.drained_node(held, console, node_id(machine) if answered else ""):
            if way is None:
                save_driver_state(held, driver, driver.restart(driver_instance(machine)))
                watch = self._watch(machine, console, login)
            else:
                before = self._end_boot(held, console, login, way, "restart")
            what = "its SSH and its engine answer" if answered else "its SSH answers"
            with self._waiting(console, f'Waiting until "{machine.name}" has booted again, and {what}'):
                watch.until_back(before=before, with_engine=answered)
        return True

    def kill(self, held: Held, _: Console, __: Login) -> bool:
        """Cut the power, without a shutdown."""
        driver = driver_of(held.machine)
        save_driver_state(held, driver, driver.kill(driver_instance(held.machine)))
        return True

    def _end_boot(self, held: Held, console: Console, login: Login, way: SSHPower, verb: str) -> str:
        """Shut the host down, or reboot it; return the boot's ID."""
        from machinectl.ssh.ssh_errors import CommandFailed, CommandTimeout, RootRefused, SSHError

        with logged_in(held.machine, console, login, ssh=way.ssh, pin=partial(pin_known_hosts, held)) as session:
            root = root_runner(session, console, login)
            boot = session.run(BOOT_ID).text
            if verb == "stop" and not way.mac:
                self.record_mac(held, console, session, way.ssh)
            try:
                root.run(END_BOOT[verb])
            except (CommandFailed, CommandTimeout, RootRefused):
                raise
            except SSHError:
                # The host closed the connection before it answered.
                pass
        return boot

    def record_mac(self, held: Held, console: Console, host: Runner, ssh: SSHEndpoint) -> None:
        """Record what wakes the host while it is on; without that, warn, and ask at a terminal."""
        machine = held.machine
        mac = host.run(PRINT_MAC_ADDRESS).text.strip()
        if MAC.fullmatch(mac):
            machine.mac = mac
            held.write()
            return
        console.warn(f'machinectl cannot switch "{machine.name}" on again: {NO_MAC}', how_to_wake(machine, ssh))
        self._ask(machine, console, "stop")

    def _ask_about_containers(self, machine: Machine, console: Console, verb: str) -> None:
        if count := container_count(machine):
            console.note(count)
            self._ask(machine, console, verb)

    def _ask(self, machine: Machine, console: Console, verb: str) -> None:
        """Ask at a terminal. Raises Declined."""
        if not (self.yes or not console.interactive or confirm(console, f"{verb.capitalize()} it?")):
            raise Declined(
                f'"{machine.name}" was left running',
                Hint(f"{verb.capitalize()} it anyway", f"machinectl {verb} -y", machine.name),
            )

    @contextmanager
    def _waiting(self, console: Console, title: str) -> Iterator[None]:
        """Without a terminal, print the step and its timeout."""
        if not console.interactive:
            console.note(f"{title}; {self.timeout:.0f} s at most")
        with console.step(title):
            yield

    def _watch(self, machine: Machine, console: Console, login: Login) -> HostWatch:
        return HostWatch(machine, login, endpoints_of(machine).ssh, self.timeout, console.pause)


def switch_power(
    store: Store,
    console: Console,
    verb: str,
    names: Sequence[str],
    login: Login,
    switch: PowerSwitch,
    *,
    dry_run: bool = False,
) -> Iterator[tuple[str, bool | HostPlan | MachineError]]:
    """Yield for each machine whether its state changed."""
    if dry_run:
        return plan_each(store, console, names, login, partial(switch.plan, verb))
    work = {"start": switch.start, "stop": switch.stop, "restart": switch.restart, "kill": switch.kill}[verb]
    return work_on_each(store, console, names, login, work)


def container_count(machine: Machine) -> str:
    """Return how many containers run, or "" if none do or the engine does not answer."""
    try:
        with engine.request(endpoint_of(machine), "GET", "/info", timeout=LOOK) as answer:
            count = json.loads(answer.read(LONGEST_ANSWER))["ContainersRunning"]
    except (MachineError, ValueError, KeyError, TypeError):
        return ""
    if not isinstance(count, int) or not count:
        return ""
    return f'"{machine.name}" runs {plural(count, "container")}'


def node_id(machine: Machine) -> str:
    """Return the swarm node ID, from the record if the engine is down; or ""."""
    known = on_record(machine)
    recorded = known.node if known else ""
    try:
        found = swarm_api.membership(endpoint_of(machine), LOOK)
    except MachineError:
        return recorded
    return "" if found.is_out else found.node or recorded


@dataclass(frozen=True)
class SSHPower:
    """A host without a switch: it is shut down over SSH, and woken by its `mac` ("" if that is not known)."""

    ssh: SSHEndpoint
    mac: str
    refused: MachineError

    def check_wakeable(self, machine: Machine) -> None:
        """Raise MachineError without a MAC address."""
        if not self.mac:
            raise MachineError(f'"{machine.name}" cannot be woken: {NO_MAC}', how_to_wake(machine, self.ssh))


def ssh_power(machine: Machine, verb: str) -> SSHPower | None:
    """Return None if the driver has a power switch. Raises its error if SSH cannot replace it."""
    check_ssh_not_withheld(machine)
    refused = driver_of(machine).no_power(driver_instance(machine), verb)
    if refused is None:
        return None
    way = endpoints_of(machine).ssh
    if way is None or not isinstance(refused, NoPowerSwitch):
        raise refused
    return SSHPower(way, refused.mac or machine.mac, refused)


def how_to_wake(machine: Machine, ssh: SSHEndpoint) -> Hint:
    if option := flag_of_set(machine, "mac"):
        text = f"Find it with ip neigh show {ssh.host}, or on the router, and set it"
        return Hint(text, f"machinectl set {option} <MAC>", machine.name)
    return Hint("Switch it on by hand; to record the address", "machinectl provision", machine.name)
