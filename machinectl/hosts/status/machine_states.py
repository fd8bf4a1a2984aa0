"""What machines are doing: as their drivers know it where an engine cannot answer, else as their engines say."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from machinectl import engine
from machinectl.engine import Wait
from machinectl.errors import MachineError
from machinectl.hosts.certificates.pending import probe_any_set
from machinectl.hosts.connection.engine_endpoint import endpoint_of
from machinectl.hosts.connection.machine_driver import driver_instance, driver_of, with_jump_host
from machinectl.hosts.status.ssh_port_check import engine_head_start, ssh_addresses, ssh_check_timeout
from machinectl.state import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from machinectl.driver import Driver, SSHEndpoint
    from machinectl.engine import Asker, EngineQuery, Probe
    from machinectl.engine.ask_engines import Course
    from machinectl.machines.record import Machine

# In these no engine runs: who asks one waits for nothing.
ASLEEP = {State.STOPPED, State.PAUSED, State.SAVED}


def state_of(machine: Machine, timeout: float) -> Probe:
    """What one machine is doing; `timeout` in seconds. Never raises."""
    [(_, found)] = states_of([machine], timeout)
    return found


def states_of(
    machines: Iterable[Machine], timeout: float, question: EngineQuery | None = None
) -> Iterator[tuple[str, Probe]]:
    """What many machines are doing, each by its name as it is known; each has `timeout` seconds from when it is asked.

    Engines are asked the question, too.
    """
    by_name = {machine.name: machine for machine in machines}
    # Loaded here: threads that import at once wait for each other.
    drivers = {machine.driver: driver_or_none(machine) for machine in by_name.values()}
    courses = {
        name: partial(probe_machine, machine, drivers[machine.driver], question) for name, machine in by_name.items()
    }
    return engine.ask_all(courses, timeout, lambda name: by_name[name].url)


def probe_machine(machine: Machine, driver: Driver | None, question: EngineQuery | None, asker: Asker) -> Course:
    """Ask a machine's engine. If it is silent, check whether anything answers at the SSH port."""
    known = driver_state(machine, driver)
    if known in ASLEEP:
        return engine.Probe(known)
    opened = asker.reach(endpoint_of(machine))
    if opened:
        yield Wait(opened, engine_head_start(asker.deadline))
    if (opened and opened.ended and not opened.is_silent) or machine.url.startswith("unix://"):
        return probe_any_set(machine, asker.deadline, question, opened)[0]
    # An ssh:// engine is asked in one blocking call: the check of the SSH port starts later, in parallel.
    after = 0.0 if opened else engine_head_start(asker.deadline)
    ssh = asker.connect(ssh_addresses(ssh_endpoint_or_none(machine, driver)), ssh_check_timeout(asker.deadline), after)
    if opened and not opened.ended:
        yield Wait(opened)
    found, _ = probe_any_set(machine, asker.deadline, question, opened)
    if found.silent or (machine.url.startswith("ssh://") and found.state is not State.RUNNING):
        yield Wait(ssh)
        return powered_off(machine, found) if ssh.failures and ssh.is_silent else found
    return found


def powered_off(machine: Machine, found: engine.Probe) -> engine.Probe:
    """What is to be said of a host where nothing answers."""
    return replace(
        found,
        state=State.STOPPED,
        error=f"Nothing answers at {machine.url.partition('://')[2]}, nor at its SSH: it is off, or out of reach",
        hint=f"Switch it on: machinectl start {machine.name}",
    )


def ssh_endpoint_or_none(machine: Machine, driver: Driver | None) -> SSHEndpoint | None:
    """Where a machine's SSH is, None where that is not known."""
    try:
        return with_jump_host(machine, driver.where(driver_instance(machine)).ssh) if driver else None
    except MachineError:
        return None


def driver_state(machine: Machine, driver: Driver | None) -> State | None:
    """What the driver knows; one that fails, knows nothing."""
    try:
        return driver.state(driver_instance(machine)) if driver else None
    except MachineError:
        return None


def driver_or_none(machine: Machine) -> Driver | None:
    """A machine's driver; None where it cannot be had, as its engine may answer all the same."""
    try:
        return driver_of(machine)
    except MachineError:
        return None
