"""Find a manager that answers, and judge the swarm's quorum."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from machinectl import engine
from machinectl.engine import swarm_api
from machinectl.engine.probe import failed_probe
from machinectl.errors import Hint, MachineError
from machinectl.machines.machine_driver import endpoint_of
from machinectl.machines.swarm_node import node_of, on_record
from machinectl.quantities import plural
from machinectl.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from machinectl.console import Console
    from machinectl.engine import Endpoint, Probe
    from machinectl.engine.endpoint import Deadline
    from machinectl.engine.swarm_api import Node
    from machinectl.machines.record import Machine

NODES = engine.EngineQuery("/nodes", list)
# Seconds to wait for the preferred manager, which answers in milliseconds, then for any other.
QUICK, PATIENCE = 0.7, 5.0
# Seconds to wait for the election of a leader, which takes five to fifteen.
ELECTION = 20.0
# Seconds between checks.
PAUSE = 0.5


@dataclass(frozen=True)
class NoManager:
    """Why no manager answers. `leaderless`: one says that the swarm has no leader."""

    why: str = "none is known"
    leaderless: bool = False


@dataclass(frozen=True)
class Manager:
    """A manager that answers, and its list of nodes."""

    machine: Machine
    nodes: tuple[Node, ...]

    @property
    def endpoint(self) -> Endpoint:
        return endpoint_of(self.machine)

    @property
    def cluster(self) -> str:
        node = node_of(self.machine)
        return node.cluster if node else ""

    @property
    def swarm(self) -> str:
        node = node_of(self.machine)
        return node.swarm if node else ""

    def node(self, node_id: str) -> Node | None:
        return next((node for node in self.nodes if node_id and node.id == node_id), None)


@dataclass(frozen=True)
class Quorum:
    """More than half of the managers must be reachable. Otherwise tasks keep running, but nothing can change."""

    managers: int
    reachable: int

    @classmethod
    def of(cls, nodes: Iterable[Node]) -> Quorum:
        managers = [node for node in nodes if node.manages]
        return cls(len(managers), sum(node.reachability == "reachable" for node in managers))

    @property
    def needed(self) -> int:
        return self.managers // 2 + 1

    @property
    def spare(self) -> int:
        """How many more managers may fail."""
        return self.reachable - self.needed

    @property
    def outlook(self) -> str:
        if self.spare < 0:
            return "It has no quorum: running tasks continue, but nothing can be changed, moved or started"
        return f"{plural(self.spare, 'more manager')} may fail before it loses its quorum"


def no_manager_error(swarm_name: str, asked: Sequence[str], found: NoManager) -> MachineError:
    if not asked:
        register = Hint("Register one", "machinectl create") | Hint("then", "machinectl swarm status", "<NAME>")
        return MachineError(f'No manager of the swarm "{swarm_name}" is a machine here', register)
    if found.leaderless:
        return MachineError(
            f'The swarm "{swarm_name}" has no leader: too few of its managers are up',
            Hint("Start more of them", "machinectl start", "<NAME>")
            | Hint("or if they are lost for good, on a remaining one", "docker swarm init --force-new-cluster"),
        )
    return MachineError(
        f'No manager of the swarm "{swarm_name}" answers ({", ".join(asked)}): {found.why}',
        Hint("See what its managers are doing", "machinectl swarm status", asked[0]),
    )


def find_answering_manager(
    candidates: Sequence[Machine],
    within: float | None = None,
    pause: Callable[[float], None] | None = None,
) -> Manager | NoManager:
    """Return the first that answers, else why none does; in an election, ask for `within` seconds (ELECTION)."""
    pause = pause or time.sleep
    end = time.monotonic() + (ELECTION if within is None else within)
    while True:
        none = NoManager()
        failures: list[Probe] = []
        for patience in (QUICK, PATIENCE):
            found, failures = query_managers(candidates, patience)
            if found:
                return found
            if failures:
                why = "; ".join(dict.fromkeys(each.error or "it is of another swarm now" for each in failures))
                none = NoManager(why, leaderless=any(swarm_api.LEADERLESS in each.said for each in failures))
            if not any(each.state is State.TIMEOUT for each in failures):
                break
        # A manager that waits for a leader says so, or is up but does not answer.
        is_electing = any(
            swarm_api.is_electing(each.said) or (each.state is State.TIMEOUT and not each.silent) for each in failures
        )
        if not is_electing or time.monotonic() >= end:
            return none
        pause(PAUSE)


def require_answering_manager(
    swarm: str,
    candidates: Sequence[Machine],
    within: float | None = None,
    pause: Callable[[float], None] | None = None,
) -> Manager:
    """Raise MachineError if none answers."""
    found = find_answering_manager(candidates, within, pause)
    if isinstance(found, Manager):
        return found
    raise no_manager_error(swarm, [machine.name for machine in candidates], found)


def query_managers(candidates: Sequence[Machine], patience: float) -> tuple[Manager | None, list[Probe]]:
    """Ask managers in parallel; return the first in order that answers, and the failures."""
    machines = {machine.name: machine for machine in candidates}
    waiting, good, failures = list(machines), dict[str, Manager](), []
    asks = {name: partial(ask_for_nodes, machine) for name, machine in machines.items()}
    for name, found in engine.ask_all(asks, patience, lambda name: machines[name].url):
        if answer := manager_from_probe(machines[name], found):
            good[name] = answer
        else:
            waiting.remove(name)
            failures.append(found)
        if waiting and waiting[0] in good:
            return good[waiting[0]], failures
    return next((good[name] for name in machines if name in good), None), failures


def ask_for_nodes(machine: Machine, deadline: Deadline) -> Probe:
    """Never raises."""
    try:
        endpoint = endpoint_of(machine)
    except MachineError as exc:
        return failed_probe(exc)
    return engine.probe_by(endpoint, deadline, NODES)


def manager_from_probe(machine: Machine, found: Probe) -> Manager | None:
    """Return a manager; None if its list lacks its recorded node: it is in another swarm."""
    if found.state is not State.RUNNING:
        return None
    answer = Manager(machine, tuple(swarm_api.listed_nodes(found.told or [])))
    node = on_record(machine)
    return answer if node is None or not node.node or answer.node(node.node) else None


def wait_until(console: Console, done: Callable[[], bool], seconds: float, title: str = "") -> bool:
    """Wait until `done` is true; return False when time is up. A MachineError counts as false.

    `title` is the console's step for the wait, "" if a step is already shown.
    """

    def is_done() -> bool:
        try:
            return done()
        except MachineError:
            return False

    end = time.monotonic() + seconds
    if is_done():
        return True
    with console.step(title) if title else nullcontext():
        while time.monotonic() <= end:
            console.pause(PAUSE)
            if is_done():
                return True
    return False
