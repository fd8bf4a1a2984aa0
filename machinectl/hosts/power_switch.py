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
from machinectl.driver.driver_options import option_flag
from machinectl.engine import swarm_api
from machinectl.errors import NO_HINT, Declined, Hint, MachineError
from machinectl.hosts.boot_watch import BOOT_ID, LOOK, WAKE_AGAIN, HostWatch
from machinectl.hosts.host_plan import HostPlan, Outcome
from machinectl.hosts.login import logged_in, pin_known_hosts, root_runner
from machinectl.hosts.wake_on_lan import ADDRESS, PRINT_MAC_ADDRESS, send_wake_packet
from machinectl.hosts.workers import plan_each, work_on_each
from machinectl.machines.machine_driver import (
    check_ssh_not_withheld,
    driver_instance,
    driver_of,
    endpoint_of,
    endpoints_of,
    save_driver_state,
)
from machinectl.machines.swarm_node import on_record
from machinectl.quantities import duration, plural
from machinectl.swarm_nodes import draining

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from machinectl.console import Console
    from machinectl.driver import SSHEndpoint
    from machinectl.hosts.login import Login
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store
    from machinectl.ssh.runner import Runner


# /info takes a few thousand bytes.
LONGEST_ANSWER = 1 << 20
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
        if verb == "start":
            if self._watch(machine, console, login).is_up():
                return HostPlan((f'"{machine.name}" is running already',))
            wake_address(machine)
        elif verb != "kill":
            ssh_power(machine, verb)
        else:
            check_ssh_not_withheld(machine)
            if refused := driver_of(machine).no_power(driver_instance(machine), verb):
                raise refused
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
        card, wake = wake_address(machine), None
        if card is None:
            save_driver_state(held, driver, driver.start(driver_instance(machine)))
            # Its address may have changed.
            watch = self._watch(machine, console, login)
        else:
            wake = partial(send_wake_packet, *card)
            wake()
            # Without a terminal, the next line has the limit.
            most = f" for {duration(self.timeout, whole=True)} at most" if console.interactive else ""
            console.note(f'Wake-on-LAN packets go to "{machine.name}" ({card[0]}), every {WAKE_AGAIN:.0f} s{most}')
        with self._waiting(console, f'Waiting until "{machine.name}" has booted, and its SSH and its engine answer'):
            watch.until_back(wake=wake)
        return True

    def stop(self, held: Held, console: Console, login: Login) -> bool:
        """Wait until nothing answers."""
        machine, driver = held.machine, driver_of(held.machine)
        asked = ssh_power(machine, "stop")
        if asked and self._watch(machine, console, login).is_off():
            console.note(StateNote(f'"{machine.name}" is stopped already: nothing answers there'))
            return False
        self._ask_about_containers(machine, console, "stop")
        if asked is None:
            save_driver_state(held, driver, driver.stop(driver_instance(machine)))
            return True
        way, mac = asked

        def before(host: Runner) -> None:
            if not mac:
                self.record_mac(held, console, host, way)

        end_boot(held, console, login, way, POWER_OFF, before)
        with self._waiting(console, f'Waiting until "{machine.name}" is off'):
            self._watch(machine, console, login).until_silent()
        return True

    def restart(self, held: Held, console: Console, login: Login) -> bool:
        """Wait until SSH and the engine answer after the boot."""
        machine, driver = held.machine, driver_of(held.machine)
        asked = ssh_power(machine, "restart")
        self._ask_about_containers(machine, console, "restart")
        watch = self._watch(machine, console, login)
        # A reboot may not repair an engine that already failed.
        answered = watch.engine_answers()
        before = ""
        with draining.drained_node(held, console, node_id(machine) if answered else ""):
            if asked is None:
                save_driver_state(held, driver, driver.restart(driver_instance(machine)))
                watch = self._watch(machine, console, login)
            else:
                before = end_boot(held, console, login, asked[0], REBOOT)
            what = "its SSH and its engine answer" if answered else "its SSH answers"
            with self._waiting(console, f'Waiting until "{machine.name}" has booted again, and {what}'):
                watch.until_back(before=before, with_engine=answered)
        return True

    def kill(self, held: Held, _: Console, __: Login) -> bool:
        """Cut the power, without a shutdown."""
        check_ssh_not_withheld(held.machine)
        driver = driver_of(held.machine)
        save_driver_state(held, driver, driver.kill(driver_instance(held.machine)))
        return True

    def record_mac(self, held: Held, console: Console, host: Runner, way: SSHEndpoint) -> None:
        """Record the host's MAC address while it is on; without one, warn, and ask at a terminal."""
        machine = held.machine
        mac = host.run(PRINT_MAC_ADDRESS).text.strip()
        if ADDRESS.fullmatch(mac):
            machine.mac = mac
            held.write()
            return
        console.warn(
            f'machinectl cannot switch "{machine.name}" on again: the address of its network card (MAC) is not known',
            how_to_wake(machine, way),
        )
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


def wake_address(machine: Machine) -> tuple[str, str] | None:
    """Return MAC address and host, None if the driver has a power switch. Raises MachineError if it is not known."""
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
    return mac, way.host


def how_to_wake(machine: Machine, way: SSHEndpoint) -> Hint:
    for option in driver_of(machine).options():
        if option.name.endswith("mac"):
            text = f"Find it with ip neigh show {way.host}, or on the router, and set it"
            return Hint(text, f"machinectl set {option_flag(option)} <MAC>", machine.name)
    return Hint("Switch it on by hand; to record the address", "machinectl provision", machine.name)
