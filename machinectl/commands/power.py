"""`start`, `stop`, `restart` and `kill`, by the driver or over SSH."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from machinectl import engine
from machinectl.driver import NoPowerSwitch
from machinectl.driver.options import option_flag
from machinectl.engine import swarm_api
from machinectl.errors import MachineError
from machinectl.hosts.connection.engine_endpoint import endpoint_of
from machinectl.hosts.connection.login import logged_in, pin_session_key, root_runner
from machinectl.hosts.connection.machine_driver import driver_instance, driver_of, endpoints_of, save_driver_state
from machinectl.hosts.lifecycle.host_plan import HostPlan, Outcome
from machinectl.hosts.parallel.workers import plan_each, work_on_each
from machinectl.hosts.power.boot_watch import BOOT_ID, LOOK, HostWatch
from machinectl.hosts.power.wake_on_lan import ADDRESS, PRINT_MAC_ADDRESS, send_wake_packet
from machinectl.hosts.swarm import draining
from machinectl.machines.docker_machine.origin import maker
from machinectl.machines.swarm_node import on_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from machinectl.console import Console
    from machinectl.driver import SSHEndpoint
    from machinectl.hosts.connection.login import Access
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store
    from machinectl.ssh.runner import Runner

    # Each machine with its error, or None.
    Outcomes = Iterator[tuple[str, MachineError | None]]

POWER_OFF = "if [ -d /run/systemd/system ]; then systemctl poweroff; else poweroff; fi"
# /info takes a few thousand bytes.
LONGEST_ANSWER = 1 << 20
REBOOT = "if [ -d /run/systemd/system ]; then systemctl reboot; else reboot; fi"


@dataclass(frozen=True)
class Power:
    """`timeout` is per host. `yes` skips questions about running containers."""

    store: Store
    console: Console
    access: Access
    timeout: float
    yes: bool = False
    planned: Callable[[str, HostPlan], None] | None = None
    # Machines that were already in the requested state.
    unchanged: set[str] = field(default_factory=set)

    def start(self, names: Sequence[str]) -> Outcomes:
        """Wait until SSH and the engine answer; skip running hosts."""
        return self._each(names, "start", self._start, "Switching its host on, and waiting until it answers")

    def stop(self, names: Sequence[str]) -> Outcomes:
        """Wait until nothing answers."""
        return self._each(names, "stop", self._stop, "Shutting its host down, and waiting until it is off")

    def restart(self, names: Sequence[str]) -> Outcomes:
        """Wait until SSH and the engine answer after the boot."""
        return self._each(names, "restart", self._restart, "Rebooting its host, and waiting until it answers again")

    def kill(self, names: Sequence[str]) -> Outcomes:
        """Cut the power, without a shutdown."""
        return self._each(names, "kill", self._kill, "Switching its host off without asking it")

    def _each(
        self, names: Sequence[str], verb: str, switch: Callable[[Held, Console, Access], None], title: str
    ) -> Outcomes:
        planned = self.planned
        if planned is None:
            return work_on_each(self.store, self.console, names, self.access, switch)

        def plan(machine: Machine, console: Console, access: Access) -> None:
            planned(machine.name, self._foretold(machine, console, access, verb, title))

        return plan_each(self.store, self.console, names, self.access, plan)

    def _foretold(self, machine: Machine, console: Console, access: Access, verb: str, title: str) -> HostPlan:
        """Raise MachineError as the verb would."""
        if verb == "start":
            if self._watch(machine, console, access).is_up():
                return HostPlan(outcomes=(Outcome(f'"{machine.name}" is running already', changed=False),))
            wake_function(machine)
        elif verb != "kill":
            ssh_power(machine, verb)
        else:
            check_not_made_elsewhere(machine, verb)
            if refused := driver_of(machine).no_power(driver_instance(machine), verb):
                raise refused
        count = running_containers(machine)
        return HostPlan((container_count_line(machine, count),) if count else (), (Outcome(title, changed=True),))

    def _start(self, held: Held, console: Console, access: Access) -> None:
        machine, driver = held.machine, driver_of(held.machine)
        watch = self._watch(machine, console, access)
        if watch.is_up():
            console.note(f'"{machine.name}" is running already{engine_note(machine, watch)}')
            self.unchanged.add(machine.name)
            return
        wake_it = wake_function(machine)
        if wake_it is None:
            save_driver_state(held, driver, driver.start(driver_instance(machine)))
            # Its address may have changed.
            watch = self._watch(machine, console, access)
        else:
            wake_it()
        with self._patiently(console, f'Waiting until "{machine.name}" has booted, and its SSH and its engine answer'):
            watch.until_back(wake=wake_it)

    def _stop(self, held: Held, console: Console, access: Access) -> None:
        machine, driver = held.machine, driver_of(held.machine)
        asked = ssh_power(machine, "stop")
        if asked and self._watch(machine, console, access).is_off():
            console.note(f'"{machine.name}" is stopped already: nothing answers there')
            self.unchanged.add(machine.name)
            return
        self._mind_containers(machine, console, "stop")
        if asked is None:
            save_driver_state(held, driver, driver.stop(driver_instance(machine)))
            return
        way, mac = asked

        def before(host: Runner) -> None:
            if not mac:
                self._mind_start(held, console, host, way)

        end_boot(held, console, access, way, POWER_OFF, before)
        with self._patiently(console, f'Waiting until "{machine.name}" is off'):
            self._watch(machine, console, access).until_silent()

    def _restart(self, held: Held, console: Console, access: Access) -> None:
        machine, driver = held.machine, driver_of(held.machine)
        asked = ssh_power(machine, "restart")
        self._mind_containers(machine, console, "restart")
        watch = self._watch(machine, console, access)
        # A reboot may not repair an engine that already failed.
        answered = watch.engine_answers()
        before = ""
        with draining.drained_node(held, console, node_id(machine) if answered else ""):
            if asked is None:
                save_driver_state(held, driver, driver.restart(driver_instance(machine)))
                watch = self._watch(machine, console, access)
            else:
                before = end_boot(held, console, access, asked[0], REBOOT)
            what = "its SSH and its engine answer" if answered else "its SSH answers"
            with self._patiently(console, f'Waiting until "{machine.name}" has booted again, and {what}'):
                watch.until_back(before=before, with_engine=answered)

    def _kill(self, held: Held, _: Console, __: Access) -> None:
        check_not_made_elsewhere(held.machine, "kill")
        driver = driver_of(held.machine)
        save_driver_state(held, driver, driver.kill(driver_instance(held.machine)))

    def _mind_start(self, held: Held, console: Console, host: Runner, way: SSHEndpoint) -> None:
        """Record the host's MAC address while it is on; without one, warn, and ask at a terminal."""
        machine = held.machine
        if not maker(machine.origin):
            mac = host.run(PRINT_MAC_ADDRESS).text.strip()
            if ADDRESS.fullmatch(mac):
                machine.mac = mac
                held.write()
                return
        console.warn(f'machinectl cannot switch "{machine.name}" on again: {why_not_wakeable(machine, way)}')
        if self.yes or not console.interactive or console.confirm("Stop it?"):
            return
        raise left_running_error(machine, "stop")

    def _mind_containers(self, machine: Machine, console: Console, verb: str) -> None:
        """Report running containers; ask at a terminal. Raises MachineError if the user declines."""
        count = running_containers(machine)
        if not count:
            return
        console.note(container_count_line(machine, count))
        if self.yes or not console.interactive or console.confirm(f"{verb.capitalize()} it?"):
            return
        raise left_running_error(machine, verb)

    @contextmanager
    def _patiently(self, console: Console, title: str) -> Iterator[None]:
        """Without a terminal, print the step and its timeout."""
        if not console.interactive:
            console.note(f"{title}; {self.timeout:.0f} s at most")
        with console.step(title):
            yield

    def _watch(self, machine: Machine, console: Console, access: Access) -> HostWatch:
        return HostWatch(machine, access, endpoints_of(machine).ssh, self.timeout, console.pause)


def engine_note(machine: Machine, watch: HostWatch) -> str:
    """Return a note, or ""."""
    if not machine.url or watch.engine_answers():
        return ""
    return f", but its engine does not answer: machinectl provision {machine.name}"


def running_containers(machine: Machine) -> int:
    """Return 0 if the engine does not answer."""
    try:
        with engine.request(endpoint_of(machine), "GET", "/info", timeout=LOOK) as answer:
            told = json.loads(answer.read(LONGEST_ANSWER))
        count = told["ContainersRunning"]
    except (MachineError, ValueError, KeyError, TypeError):
        return 0
    return count if isinstance(count, int) else 0


def node_id(machine: Machine) -> str:
    """Return the swarm node ID, from the record if the engine is down; or ""."""
    known = on_record(machine)
    recorded = known.node if known else ""
    try:
        found = swarm_api.membership(endpoint_of(machine), LOOK)
    except MachineError:
        return recorded
    return "" if found.is_out else found.node or recorded


def container_count_line(machine: Machine, count: int) -> str:
    return f'"{machine.name}" runs {count} container{"s" if count > 1 else ""}'


def left_running_error(machine: Machine, verb: str) -> MachineError:
    return MachineError(
        f'"{machine.name}" was left running', f"{verb.capitalize()} it anyway: machinectl {verb} -y {machine.name}"
    )


def end_boot(
    held: Held,
    console: Console,
    access: Access,
    ssh: SSHEndpoint,
    command: str,
    before: Callable[[Runner], None] = lambda _: None,
) -> str:
    """Call `before`, run a root command that ends the boot, and return the boot's ID."""
    from machinectl.ssh.ssh_errors import CommandFailed, CommandTimeout, RootRefused, SSHError

    with logged_in(held.machine, console, access, ssh=ssh) as session:
        pin_session_key(held, session)
        root = root_runner(session, console, access)
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


def ssh_power(machine: Machine, verb: str) -> tuple[SSHEndpoint, str] | None:
    """Return SSH and MAC address ("" if unknown), or None if the driver has a power switch.

    Raises the driver's error if SSH cannot replace it.
    """
    refused = driver_of(machine).no_power(driver_instance(machine), verb)
    if refused is None:
        return None
    way = endpoints_of(machine).ssh
    if way is None or not isinstance(refused, NoPowerSwitch):
        raise refused
    return way, refused.mac or machine.mac


def check_not_made_elsewhere(machine: Machine, verb: str) -> None:
    """Refuse machines whose docker-machine driver we lack."""
    if driver := maker(machine.origin):
        raise MachineError(
            f'"{machine.name}" was made by docker-machine\'s driver {driver}: machinectl cannot {verb} it there',
            f"Do that where {driver} made it; from inside: machinectl stop {machine.name}",
        )


def wake_function(machine: Machine) -> Callable[[], None] | None:
    """Return None if the driver has a power switch. Raises MachineError without a MAC address."""
    asked = ssh_power(machine, "start")
    if asked is None:
        return None
    way, mac = asked
    if not mac:
        check_not_made_elsewhere(machine, "start")
        raise MachineError(
            f'"{machine.name}" cannot be woken: the address of its network card (MAC) is not known',
            how_to_wake(machine, way),
        )
    return lambda: send_wake_packet(mac, way.host)


def why_not_wakeable(machine: Machine, way: SSHEndpoint) -> str:
    """Return the reason and, on a second line, a hint."""
    if driver := maker(machine.origin):
        return f"docker-machine's driver {driver} made it\nStart it with the tools of {driver}"
    return f"the address of its network card (MAC) is not known\n{how_to_wake(machine, way)}"


def how_to_wake(machine: Machine, way: SSHEndpoint) -> str:
    for option in driver_of(machine).options():
        if option.name.endswith("mac"):
            given = f"machinectl set {option_flag(option)} <MAC> {machine.name}"
            return f"Find it with ip neigh show {way.host}, or on the router, and set it: {given}"
    return f"Switch it on by hand; to record the address: machinectl provision {machine.name}"
