"""Find machines' states through drivers, else engines; ask many engines at once, for `ls`, `info` and `ps`."""

from __future__ import annotations

import socket
from contextlib import suppress
from functools import partial

from machinectl import engine
from machinectl.engine.endpoint import is_silence
from machinectl.errors import DOCTOR, NO_HINT, RENEW, Hint, MachineError, UsageError
from machinectl.hosts.identity import probe_any_set, settle_pending
from machinectl.machines.machine_driver import driver_instance, driver_of, endpoint_of, ssh_or_none
from machinectl.machines.record import Machine, Phase, natural, waits_for_access
from machinectl.machines.store.store_paths import NoSuchMachine, is_locked
from machinectl.state import State
from machinectl.value_classes import Mutable, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any, TypeVar

    from machinectl.driver import SSHEndpoint
    from machinectl.engine import Endpoint, EngineQuery, Probe
    from machinectl.engine.endpoint import Deadline
    from machinectl.machines.store import Store

    Each = TypeVar("Each", bound="MachineStatus")

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
    for machine in {machine.driver: machine for machine in by_name.values()}.values():
        with suppress(MachineError):
            driver_of(machine)
    asks = {name: partial(probe_machine, machine, question) for name, machine in by_name.items()}
    return engine.ask_all(asks, timeout, lambda name: by_name[name].url)


def probe_machine(machine: Machine, question: EngineQuery | None, deadline: Deadline) -> Probe:
    """If the engine is silent, try the SSH port."""
    known = state_from_driver(machine)
    if known in ASLEEP:
        return engine.Probe(known)
    probe, _ = probe_any_set(machine, deadline, question, connecting_share=CONNECTING_SHARE)
    if probe.silent or (machine.url.startswith("ssh://") and probe.state is not State.RUNNING):
        way = ssh_or_none(machine)
        if way and is_silent([replace(way, host=host) for host in (way.host, *machine.addresses)], deadline):
            place = machine.url.partition("://")[2]
            return replace(
                probe,
                state=State.STOPPED,
                leads_to="",
                error=f"Nothing answers at {place}, nor at its SSH port: it is off or unreachable",
                hint=Hint("Switch it on", "machinectl start", machine.name),
            )
    return probe


def state_from_driver(machine: Machine) -> State | None:
    """Return None if the driver does not know, or cannot be loaded: the engine may answer."""
    try:
        return driver_of(machine).state(driver_instance(machine))
    except MachineError:
        return None


def is_silent(ways: Sequence[SSHEndpoint], deadline: Deadline) -> bool:
    """Return whether no SSH port answers; False if only a jump host can reach one."""
    from machinectl.ssh.ssh_settings import read_settings

    for done, way in enumerate(ways):
        try:
            settings = read_settings(way)
            if not settings.is_direct:
                return False
            left = (deadline.remaining() or 0) / (len(ways) - done)
            socket.create_connection((settings.hostname, settings.port), left).close()
        except (MachineError, OSError, UnicodeError) as exc:
            if not (isinstance(exc, OSError) and is_silence(exc)):
                return False
        else:
            return False
    return True


class MachineStatus(Mutable):
    """`error` is one line, `seconds` the engine's time, `told` its answer; `swarm` as in `Probe`.

    `with_hint`: lists show the hint, too.
    """

    machine: Machine
    state: State = State.NONE
    version: str = ""
    api_version: str = ""
    error: str = ""
    hint: Hint = NO_HINT
    with_hint: bool = False
    seconds: float = 0
    told: Any = None
    swarm: str = ""
    settled: bool = False

    @property
    def failure(self) -> MachineError | None:
        found = self.unnamed_failure
        return found and found.named(self.machine.name)

    @property
    def unnamed_failure(self) -> MachineError | None:
        name = self.machine.name
        if self.state is State.RUNNING:
            return None
        if self.error:
            return MachineError(self.error, self.hint)
        if self.state is State.UNKNOWN:
            return MachineError(f'"{name}" was not asked: --timeout is 0', Hint("", "machinectl status", name))
        start = Hint("", f"machinectl {'start' if self.state in ASLEEP else 'status'}", name)
        return MachineError(f"its host is {str(self.state).lower() or 'silent'}", start)


def recorded_status(store: Store, name: str, make: Callable[[Machine], Each]) -> Each | None:
    """Return None if the machine was removed meanwhile."""
    try:
        status = make(store.read(name))
    except NoSuchMachine:
        return None
    except MachineError as exc:
        status = make(Machine(name, ""))
        status.state, status.error, status.hint, status.settled = State.ERROR, exc.cause, exc.hint, True
        status.with_hint = store.is_docker_machines(name)
        return status
    if status.machine.phase != Phase.READY:
        status.settled = True
        status.with_hint = True
        status.state, status.error, status.hint = unfinished_state(store, status.machine)
    return status


def recorded_statuses(
    store: Store, names: Iterable[str], make: Callable[[Machine], Each]
) -> tuple[list[Each], list[MachineError]]:
    """Return statuses in natural order, and errors for missing names."""
    found, missing = [], []
    for name in sorted(set(names), key=lambda name: (natural(name), name)):
        if status := recorded_status(store, name, make):
            found.append(status)
            continue
        try:
            store.check_exists(name)
        except MachineError as exc:
            missing.append(exc)
    return found, missing


def unfinished_state(store: Store, machine: Machine) -> tuple[State, str, Hint]:
    """Return the state and, if no run works on the machine, the next step."""
    if is_locked(store.lock_path(machine.name)):
        return State.STARTING, "", NO_HINT
    if waits_for_access(machine):
        return State.ERROR, "Waiting for access", Hint("See what to send", "machinectl access request", machine.name)
    incomplete, go_on = f"Incomplete: {machine.why.rstrip('.')}", Hint("Create it again, or remove it")
    if machine.phase == Phase.PROVISIONING:
        go_on = Hint("Continue", "machinectl provision", machine.name)
    return State.ERROR, incomplete, go_on


def query_engines(
    store: Store, statuses: Iterable[Each], timeout: float, question: EngineQuery | None = None
) -> Iterator[Each]:
    """Yield each settled status, within `timeout` seconds."""
    by_name = {status.machine.name: status for status in statuses if not status.settled}
    for name, probe in states_of((status.machine for status in by_name.values()), timeout, question):
        status = by_name[name]
        status.state, status.version, status.api_version = probe.state, probe.version, probe.api_version
        status.error, status.hint, status.seconds, status.told = probe.error, probe.hint, probe.seconds, probe.told
        status.swarm, status.settled = probe.swarm, True
        status.with_hint = probe.state is State.ERROR and probe.leads_to in {DOCTOR, RENEW}
        if status.machine.pending and probe.state is State.STOPPED and probe.error and not probe.silent:
            # A run that was cut off may have ended the listener, and the record still has its address.
            status.error += "; not all changes reached its host"
            status.hint, status.with_hint = Hint("Continue", f"machinectl {status.machine.pending}", name), True
        if probe.state is State.RUNNING:
            settle_pending(store, name, timeout)
        yield status


def engine_failures(asked: Sequence[MachineStatus]) -> list[MachineError]:
    return [failure for status in asked if (failure := status.failure)]


def docker_filters(filters: Sequence[str], example: str) -> dict[str, dict[str, bool]]:
    """Treat equal keys as alternatives; different keys must all match. `example` is of the verb, for errors."""
    found: dict[str, dict[str, bool]] = {}
    for given in filters:
        key, equals, value = given.partition("=")
        if not equals:
            raise UsageError(
                f"--filter {given!r} is not KEY=VALUE", Hint(f"Write a filter as docker takes it: --filter {example}")
            )
        found.setdefault(key.strip().lower(), {})[value.strip()] = True
    return found


def ready_endpoint(store: Store, name: str) -> Endpoint:
    """Return the engine of a finished machine; first finish a renewal of its certificates that was killed."""
    settle_pending(store, name)
    return endpoint_of(store.read_ready(name))
