"""Ask many engines at once, for `ls`, `info` and `ps`."""

from __future__ import annotations

from machinectl.engine.response import BAD_REQUEST
from machinectl.errors import DOCTOR, NO_HINT, RENEW, Hint, MachineError, UsageError
from machinectl.hosts.identity import settle_pending
from machinectl.hosts.machine_states import ASLEEP, states_of
from machinectl.machines.machine_driver import endpoint_of
from machinectl.machines.record import Machine, Phase, natural, waits_for_access
from machinectl.machines.store.store_paths import NoSuchMachine
from machinectl.state import State
from machinectl.value_classes import Mutable

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any, TypeVar

    from machinectl.engine import EngineQuery
    from machinectl.machines.store import Store

    Each = TypeVar("Each", bound="MachineStatus")

    from machinectl.engine import Endpoint


class MachineStatus(Mutable):
    """`error` is one line, `seconds` the engine's time, `told` its answer; `status` and `swarm` as in `Probe`.

    `with_hint`: lists show the hint, too.
    """

    machine: Machine
    state: State = State.NONE
    version: str = ""
    api_version: str = ""
    error: str = ""
    hint: Hint = NO_HINT
    with_hint: bool = False
    status: int = 0
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
        one = make(store.read(name))
    except NoSuchMachine:
        return None
    except MachineError as exc:
        one = make(Machine(name, ""))
        one.state, one.error, one.hint, one.settled = State.ERROR, exc.cause, exc.hint, True
        one.with_hint = store.is_docker_machines(name)
        return one
    if one.machine.phase != Phase.READY:
        one.settled = True
        one.with_hint = True
        one.state, one.error, one.hint = unfinished_state(store, one.machine)
    return one


def recorded_statuses(
    store: Store, names: Iterable[str], make: Callable[[Machine], Each]
) -> tuple[list[Each], list[MachineError]]:
    """Return statuses in natural order, and errors for missing names."""
    found, missing = [], []
    for name in sorted(set(names), key=lambda name: (natural(name), name)):
        if one := recorded_status(store, name, make):
            found.append(one)
            continue
        try:
            store.check_exists(name)
        except MachineError as exc:
            missing.append(exc)
    return found, missing


def unfinished_state(store: Store, machine: Machine) -> tuple[State, str, Hint]:
    """Return the state and, if no run works on the machine, the next step."""
    if store.is_locked(machine.name):
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
    by_name = {one.machine.name: one for one in statuses if not one.settled}
    for name, found in states_of((one.machine for one in by_name.values()), timeout, question):
        one = by_name[name]
        one.state, one.version, one.api_version = found.state, found.version, found.api_version
        one.error, one.hint, one.seconds, one.told = found.error, found.hint, found.seconds, found.told
        one.swarm, one.status, one.settled = found.swarm, found.status, True
        one.with_hint = found.state is State.ERROR and found.leads_to in {DOCTOR, RENEW}
        if one.machine.pending and found.state is State.STOPPED and found.error and not found.silent:
            # A run that was cut off may have ended the listener, and the record still has its address.
            one.error += "; not all changes reached its host"
            one.hint, one.with_hint = Hint("Continue", f"machinectl {one.machine.pending}", name), True
        if found.state is State.RUNNING:
            settle_pending(store, name, timeout)
        yield one


def engine_failures(asked: Sequence[MachineStatus]) -> list[MachineError]:
    return [failure for one in asked if (failure := one.failure)]


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


def failures_with_filters(asked: Sequence[MachineStatus], filters: Sequence[str], page: str) -> list[MachineError]:
    """Hint at docker's page on filters: the engine's journal does not explain a bad filter."""
    for one in asked:
        if filters and one.status == BAD_REQUEST:
            one.hint = Hint(f"See docker's filters: https://docs.docker.com/reference/cli/docker/{page}/")
    return engine_failures(asked)


def ready_endpoint(store: Store, name: str) -> Endpoint:
    """Return the engine of a finished machine; first finish a renewal of its certificates that was killed."""
    settle_pending(store, name)
    return endpoint_of(store.read_ready(name))
