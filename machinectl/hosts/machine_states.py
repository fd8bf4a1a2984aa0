"""Find machines' states through drivers, else engines."""

from __future__ import annotations

import socket
from functools import partial

from machinectl import engine
from machinectl.engine.endpoint import is_silence
from machinectl.engine.sockets import connected
from machinectl.errors import Hint, MachineError
from machinectl.hosts.identity import probe_any_set
from machinectl.machines.machine_driver import driver_instance, driver_of, with_jump_host
from machinectl.name_resolution import encoded
from machinectl.state import State
from machinectl.value_classes import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from machinectl.driver import Driver, SSHEndpoint
    from machinectl.engine import EngineQuery, Probe
    from machinectl.engine.endpoint import Deadline
    from machinectl.engine.sockets import Address
    from machinectl.machines.record import Machine


# No engine runs in these states: asking it would only take time.
ASLEEP = {State.STOPPED, State.PAUSED, State.SAVED}
# The share of an engine's time in which it must accept a connection; the rest is for its host's SSH port.
CONNECTING_SHARE = 0.8


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
    asks = {
        name: partial(probe_machine, machine, drivers[machine.driver], question) for name, machine in by_name.items()
    }
    return engine.ask_all(asks, timeout, lambda name: by_name[name].url)


def probe_machine(machine: Machine, driver: Driver | None, question: EngineQuery | None, deadline: Deadline) -> Probe:
    """If the engine is silent, try the SSH port."""
    known = state_from_driver(machine, driver)
    if known in ASLEEP:
        return engine.Probe(known)
    found, _ = probe_any_set(machine, deadline, question, connecting_share=CONNECTING_SHARE)
    if found.silent or (machine.url.startswith("ssh://") and found.state is not State.RUNNING):
        way = ssh_endpoint_or_none(machine, driver)
        if way and is_silent([replace(way, host=host) for host in (way.host, *machine.addresses)], deadline):
            return powered_off(machine, found)
    return found


def powered_off(machine: Machine, found: engine.Probe) -> engine.Probe:
    return replace(
        found,
        state=State.STOPPED,
        leads_to="",
        error=f"Nothing answers at {machine.url.partition('://')[2]}, nor at its SSH port: it is off or unreachable",
        hint=Hint("Switch it on", "machinectl start", machine.name),
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


def is_silent(ways: Sequence[SSHEndpoint], deadline: Deadline) -> bool:
    """Return whether no SSH port answers; False if only a jump host can reach one."""
    addresses = [address for way in ways for address in addresses_of_host(way)]
    for done, (family, address) in enumerate(addresses):
        try:
            left = deadline.remaining() or 0
            connected(family, address, left / (len(addresses) - done)).close()
        except OSError as exc:
            if not is_silence(exc):
                return False
        else:
            return False
    return bool(addresses)


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
