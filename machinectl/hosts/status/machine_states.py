"""Find machines' states through drivers, else engines."""

from __future__ import annotations

import socket
from functools import partial

from machinectl import engine
from machinectl.engine import Wait
from machinectl.errors import MachineError
from machinectl.hosts.certificates.pending import probe_any_set
from machinectl.hosts.connection.machine_driver import driver_instance, driver_of, endpoint_of, with_jump_host
from machinectl.name_resolution import encoded
from machinectl.state import State
from machinectl.value_classes import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from machinectl.driver import Driver, SSHEndpoint
    from machinectl.engine import Asker, EngineQuery, Probe
    from machinectl.engine.ask_engines import Course
    from machinectl.engine.dialling.sockets import Address
    from machinectl.engine.endpoint import Deadline
    from machinectl.machines.record import Machine


# No engine runs in these states: asking it would only take time.
ASLEEP = {State.STOPPED, State.PAUSED, State.SAVED}
# Try the SSH port after this many seconds without an answer from the engine, or this share of the deadline.
HEAD_START = 1.0
SHARE = 4
# Share of the remaining time, so that the result is ready before the engine's time is up.
IN_TIME = 0.8


def state_of(machine: Machine, timeout: float) -> Probe:
    """Never raise."""
    [(_, found)] = states_of([machine], timeout)
    return found


def states_of(
    machines: Iterable[Machine], timeout: float, question: EngineQuery | None = None
) -> Iterator[tuple[str, Probe]]:
    """Yield each state when known, within `timeout` seconds each, and the answer to `question`. Never raises.

    With 0 seconds, ask nobody.
    """
    by_name = {machine.name: machine for machine in machines}
    if not timeout:
        return ((name, engine.Probe(State.UNKNOWN)) for name in by_name)
    # Load drivers before starting threads: threads that import block each other.
    drivers = {machine.driver: driver_or_none(machine) for machine in by_name.values()}
    courses = {
        name: partial(probe_machine, machine, drivers[machine.driver], question) for name, machine in by_name.items()
    }
    return engine.ask_all(courses, timeout, lambda name: by_name[name].url)


def probe_machine(machine: Machine, driver: Driver | None, question: EngineQuery | None, asker: Asker) -> Course:
    """If the engine is silent, try the SSH port."""
    known = state_from_driver(machine, driver)
    if known in ASLEEP:
        return engine.Probe(known)
    opened = asker.reach(endpoint_of(machine))
    head_start = min(HEAD_START, remaining_seconds(asker.deadline) / SHARE)
    if opened:
        yield Wait(opened, head_start)
    if (opened and opened.ended and not opened.is_silent) or machine.url.startswith("unix://"):
        return probe_any_set(machine, asker.deadline, question, opened)[0]
    # An ssh:// engine is asked in one blocking call: the check of the SSH port starts later, in parallel.
    addresses = ssh_addresses(ssh_endpoint_or_none(machine, driver), machine.addresses)
    ssh = asker.connect(addresses, remaining_seconds(asker.deadline) * IN_TIME, 0.0 if opened else head_start)
    if opened and not opened.ended:
        yield Wait(opened)
    found, _ = probe_any_set(machine, asker.deadline, question, opened)
    if found.silent or (machine.url.startswith("ssh://") and found.state is not State.RUNNING):
        asker.hurry(ssh)
        yield Wait(ssh)
        return powered_off(machine, found) if ssh.failures and ssh.is_silent else found
    return found


def powered_off(machine: Machine, found: engine.Probe) -> engine.Probe:
    return replace(
        found,
        state=State.STOPPED,
        error=f"Nothing answers at {machine.url.partition('://')[2]}, nor at its SSH port: it is off or unreachable",
        hint=f"Switch it on: machinectl start {machine.name}",
    )


def ssh_endpoint_or_none(machine: Machine, driver: Driver | None) -> SSHEndpoint | None:
    try:
        return with_jump_host(machine, driver.where(driver_instance(machine)).ssh) if driver else None
    except MachineError:
        return None


def state_from_driver(machine: Machine, driver: Driver | None) -> State | None:
    try:
        return driver.state(driver_instance(machine)) if driver else None
    except MachineError:
        return None


def driver_or_none(machine: Machine) -> Driver | None:
    """The engine may answer even without a driver."""
    try:
        return driver_of(machine)
    except MachineError:
        return None


def remaining_seconds(deadline: Deadline) -> float:
    """Return 0 without a deadline."""
    try:
        return deadline.remaining() or 0.0
    except TimeoutError:
        return 0.0


def ssh_addresses(way: SSHEndpoint | None, others: Sequence[str] = ()) -> list[Address]:
    """Return those of all its hosts; none behind a jump host, which only it can reach."""
    if not way:
        return []
    return [address for host in (way.host, *others) for address in addresses_of_host(replace(way, host=host))]


def addresses_of_host(way: SSHEndpoint) -> list[Address]:
    from machinectl.ssh.ssh_settings import read_settings

    try:
        found = read_settings(way)
        if not found.is_direct:
            return []
        answers = socket.getaddrinfo(encoded(found.hostname), found.port, found.family, socket.SOCK_STREAM)
    except (MachineError, OSError, UnicodeError):
        return []
    return [(family, address) for family, _, _, _, address in answers]
