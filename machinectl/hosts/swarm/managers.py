"""Which of a swarm's managers answers, and what it says of the nodes."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from machinectl import engine
from machinectl.engine import swarm_api
from machinectl.errors import MachineError
from machinectl.hosts.certificates.pending import probe_in_parallel
from machinectl.hosts.connection.engine_endpoint import endpoint_of
from machinectl.machines.swarm_node import node_of
from machinectl.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from machinectl.console import Console
    from machinectl.engine import Endpoint, Probe
    from machinectl.engine.swarm_api import Node
    from machinectl.machines.record import Machine

NODES = engine.EngineQuery("/nodes", list)
# How long managers are waited for: first the one that is asked first, which answers in milliseconds where it is there,
# then whichever comes. Seconds.
QUICK, PATIENCE = 0.7, 5.0
# How long an election of a leader is waited for: it takes five to fifteen seconds. Seconds.
ELECTION = 20.0
# How often what is waited for is looked at. Seconds.
PAUSE = 0.5


@dataclass(frozen=True)
class Manager:
    """A machine whose engine manages a swarm and answers for it, and the nodes that it knows of."""

    machine: Machine
    nodes: tuple[Node, ...]

    @property
    def endpoint(self) -> Endpoint:
        return endpoint_of(self.machine)

    @property
    def cluster(self) -> str:
        """The ID of its swarm, by its record."""
        node = node_of(self.machine)
        return node.cluster if node else ""

    @property
    def swarm(self) -> str:
        """What its swarm is called here."""
        node = node_of(self.machine)
        return node.swarm if node else ""

    def node(self, node_id: str) -> Node | None:
        return next((node for node in self.nodes if node_id and node.id == node_id), None)

    @property
    def managers(self) -> list[Node]:
        return [node for node in self.nodes if node.manages]


@dataclass(frozen=True)
class Quorum:
    """How many managers a swarm has, and how many of them are reachable: more than half of them must be.

    A swarm that has lost its quorum runs what runs, and changes nothing: nothing is moved, started or updated.
    """

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
        """How many managers may go yet."""
        return self.reachable - self.needed

    @property
    def told(self) -> str:
        """What is lost if one more manager goes."""
        if self.managers <= 1:
            return "If its manager goes, the swarm is lost with it: nobody else knows its services, secrets and nodes"
        if self.spare < 0:
            return "It has no quorum: what runs goes on, and nothing can be changed, moved or started"
        if self.spare == 0:
            return "If one more manager goes, it has no quorum: what runs goes on, and nothing can be changed or moved"
        more = "one more manager" if self.spare == 1 else f"{self.spare} more managers"
        return f"Nothing is lost if {more} should go"

    @property
    def advice(self) -> str:
        return manager_count_advice(self.managers)


def manager_count_advice(managers: int) -> str:
    """What is to be said of a number of managers; "" where it is a good one."""
    if managers % 2 == 0 and managers:
        return (
            f"{managers} managers bear the loss of no more than {managers - 1} do: have an odd number of them, "
            f"{managers - 1} or {managers + 1}"
        )
    return ""


def no_manager_error(swarm_name: str, asked: Sequence[str], why: str) -> MachineError:
    """What is wrong where nobody answers for a swarm."""
    if not asked:
        return MachineError(
            f'No manager of the swarm "{swarm_name}" is a machine here',
            "Register one: machinectl create; then: machinectl swarm status <NAME>",
        )
    if "does not have a leader" in why:
        # One that the others have forgotten says the same: it alone is still of the swarm as it knows it.
        forgotten = f"Where the others have forgotten it: machinectl swarm leave --force {asked[0]}\n"
        return MachineError(
            f'The swarm "{swarm_name}" has no leader: too few of its managers are there. What runs goes on, and '
            "nothing can be changed or moved",
            f"{forgotten if len(asked) == 1 else ''}"
            "Have more of them back: machinectl start <NAME>; or where they are lost for good, at one that is left: "
            "docker swarm init --force-new-cluster",
        )
    return MachineError(
        f'No manager of the swarm "{swarm_name}" answers ({", ".join(asked)}): {why}',
        f"See what its managers are doing: machinectl swarm status {asked[0]}",
    )


def find_answering_manager(
    candidates: Sequence[tuple[Machine, str]],
    within: float | None = None,
    pause: Callable[[float], None] | None = None,
) -> Manager | str:
    """The first of some managers, each with the ID of its node, that answers for its swarm; else why none does.

    While they elect a leader, they are asked again, for ELECTION or `within` seconds.
    """
    end = time.monotonic() + (ELECTION if within is None else within)
    while True:
        why = "none is known"
        failures: list[Probe] = []
        for patience in (QUICK, PATIENCE):
            found, failures = query_managers(candidates, patience)
            if found:
                return found
            why = "; ".join(dict.fromkeys(each.error or "it is of another swarm now" for each in failures)) or why
            if not any(each.state is State.TIMEOUT for each in failures):
                break
        if not any(map(is_leader_missing, failures)) or time.monotonic() >= end:
            return why
        (pause or time.sleep)(PAUSE)


def is_leader_missing(found: Probe) -> bool:
    """Whether a manager may answer when its swarm has a leader again: it says so, or is there and says nothing."""
    return swarm_api.is_electing(found.error) or (found.state is State.TIMEOUT and not found.silent)


def query_managers(candidates: Sequence[tuple[Machine, str]], patience: float) -> tuple[Manager | None, list[Probe]]:
    """Who answers, in the order of `candidates` when all had their time, and what was found of those that do not.

    Each is waited for for a moment in their order, and then whichever comes first is good.
    """
    machines = {machine.name: (machine, node_id) for machine, node_id in candidates}
    waiting, good, failures = list(machines), dict[str, Manager](), []
    questions = {name: partial(probe_in_parallel, machine, NODES) for name, (machine, _) in machines.items()}
    for name, found in engine.ask_all(questions, patience, lambda name: machines[name][0].url):
        if answer := manager_from_probe(machines[name], found):
            good[name] = answer
        else:
            waiting.remove(name)
            failures.append(found)
        if waiting and waiting[0] in good:
            return good[waiting[0]], failures
    return next((good[name] for name in machines if name in good), None), failures


def manager_from_probe(candidate: tuple[Machine, str], found: Probe) -> Manager | None:
    """What a machine is as a manager, by its answer; one whose node is not among those it knows is another swarm's."""
    machine, node_id = candidate
    if found.state is not State.RUNNING:
        return None
    answer = Manager(machine, tuple(swarm_api.Node.of(each) for each in found.told or () if isinstance(each, dict)))
    return answer if not node_id or answer.node(node_id) else None


def wait_until(console: Console, done: Callable[[], bool], seconds: float) -> bool:
    """Look again and again until something is so, or the time is over; whether it is. What fails is no yes."""
    end = time.monotonic() + seconds
    while True:
        with suppress(MachineError):
            if done():
                return True
        if time.monotonic() > end:
            return False
        console.pause(PAUSE)
