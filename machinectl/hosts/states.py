"""What machines are doing: as their drivers know it where an engine cannot answer, else as their engines say."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from machinectl import engine
from machinectl.engine.endpoint import Deadline
from machinectl.errors import MachineError
from machinectl.hosts.driven import driver_of, instance, led
from machinectl.hosts.pending import look as look_with_all
from machinectl.hosts.silence import SSHLook
from machinectl.state import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from machinectl.driver import Driver, SSHEndpoint
    from machinectl.engine import Probe, Question
    from machinectl.machines.record import Machine

# In these no engine runs: who asks one waits for nothing.
ASLEEP = {State.STOPPED, State.PAUSED, State.SAVED}


def state_of(machine: Machine, timeout: float) -> Probe:
    """What one machine is doing; `timeout` in seconds. Never raises."""
    return look(machine, driver_or_none(machine), Deadline(timeout))


def states_of(
    machines: Iterable[Machine], timeout: float, question: Question | None = None
) -> Iterator[tuple[str, Probe]]:
    """What many machines are doing, each by its name as it is known: all within `timeout` seconds and a moment.

    Engines are asked the question, too.
    """
    by_name = {machine.name: machine for machine in machines}
    # Loaded here: threads that import at once wait for each other.
    drivers = {machine.driver: driver_or_none(machine) for machine in by_name.values()}
    looks = {
        name: partial(look, machine, drivers[machine.driver], question=question) for name, machine in by_name.items()
    }
    return engine.ask_all(looks, timeout, lambda name: by_name[name].url)


def look(machine: Machine, driver: Driver | None, deadline: Deadline, question: Question | None = None) -> Probe:
    known = known_state(machine, driver)
    if known in ASLEEP:
        return engine.Probe(known)
    with SSHLook(way_in(machine, driver), deadline) as ssh:
        found, _ = look_with_all(machine, deadline, question)
        over_ssh = machine.url.startswith("ssh://") and found.state is not State.RUNNING
        return off(machine, found) if (found.silent or over_ssh) and ssh.is_silent() else found


def off(machine: Machine, found: engine.Probe) -> engine.Probe:
    """What is to be said of a host where nothing answers."""
    return replace(
        found,
        state=State.STOPPED,
        error=f"Nothing answers at {machine.url.partition('://')[2]}, nor at its SSH: it is off, or out of reach",
        hint=f"Switch it on: machinectl start {machine.name}",
    )


def way_in(machine: Machine, driver: Driver | None) -> SSHEndpoint | None:
    """Where a machine's SSH is, None where that is not known."""
    try:
        return led(machine, driver.where(instance(machine)).ssh) if driver else None
    except MachineError:
        return None


def known_state(machine: Machine, driver: Driver | None) -> State | None:
    """What the driver knows; one that fails, knows nothing."""
    try:
        return driver.state(instance(machine)) if driver else None
    except MachineError:
        return None


def driver_or_none(machine: Machine) -> Driver | None:
    """A machine's driver; None where it cannot be had, as its engine may answer all the same."""
    try:
        return driver_of(machine)
    except MachineError:
        return None
