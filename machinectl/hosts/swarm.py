"""The machines that are nodes of one swarm: which of its managers answers, and what a machine's record says of it."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from machinectl import engine
from machinectl.engine import swarm
from machinectl.errors import MachineError
from machinectl.hosts.endpoint import endpoint
from machinectl.hosts.pending import asking
from machinectl.machines.swarm_node import SwarmNode, node_of
from machinectl.machines.swarms import all_nodes, name_of, named
from machinectl.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from machinectl.console import Console
    from machinectl.engine import Endpoint, Probe
    from machinectl.engine.swarm import Membership, Node
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store

NODES = engine.Question("/nodes", list)
# How long managers are waited for: first the one that is asked first, which answers in milliseconds where it is there,
# then whichever comes. Seconds.
QUICK, PATIENCE = 0.7, 5.0
# How often what is waited for is looked at. Seconds.
PAUSE = 0.5


@dataclass(frozen=True)
class Manager:
    """A machine whose engine manages a swarm and answers for it, and the nodes that it knows of."""

    machine: Machine
    nodes: tuple[Node, ...]

    @property
    def endpoint(self) -> Endpoint:
        return endpoint(self.machine)

    def node(self, node_id: str) -> Node | None:
        return next((node for node in self.nodes if node.id == node_id), None)

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
        return advice(self.managers)


def advice(managers: int) -> str:
    """What is to be said of a number of managers; "" where it is a good one."""
    if managers % 2 == 0 and managers:
        return (
            f"{managers} managers bear the loss of no more than {managers - 1} do: have an odd number of them, "
            f"{managers - 1} or {managers + 1}"
        )
    return ""


def manager(store: Store, name: str) -> Manager:
    """A manager that answers, of the swarm that a machine is in, or that has the name: that machine itself, if it does.

    Raises MachineError where there is none.
    """
    there = named(store, name)
    candidates = [(machine, node.node) for machine, node in there if node.manages]
    found = answering(candidates)
    if isinstance(found, Manager):
        return found
    raise no_manager(there[0][1].swarm or name, [machine.name for machine, _ in candidates], found)


def no_manager(swarm_name: str, asked: Sequence[str], why: str) -> MachineError:
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


def answering(candidates: Sequence[tuple[Machine, str]]) -> Manager | str:
    """The first of some managers, each with the ID of its node, that answers for its swarm; else why none does.

    Each is waited for for a moment in their order, and then whichever comes first is good.
    """
    why = "none is known"
    for patience in (QUICK, PATIENCE):
        found, failures = in_order(candidates, patience)
        if found:
            return found
        why = "; ".join(dict.fromkeys(each.error or "it is of another swarm now" for each in failures)) or why
        if not any(each.state is State.TIMEOUT for each in failures):
            break
    return why


def in_order(candidates: Sequence[tuple[Machine, str]], patience: float) -> tuple[Manager | None, list[Probe]]:
    """The first that answers when all had their time, and what was found of those that do not."""
    machines = {machine.name: (machine, node_id) for machine, node_id in candidates}
    waiting, good, failures = list(machines), dict[str, Manager](), []
    questions = {name: partial(asking, machine, NODES) for name, (machine, _) in machines.items()}
    for name, found in engine.ask_all(questions, patience, lambda name: machines[name][0].url):
        if answer := manages(machines[name], found):
            good[name] = answer
        else:
            waiting.remove(name)
            failures.append(found)
        if waiting and waiting[0] in good:
            return good[waiting[0]], failures
    return next(iter(good.values()), None), failures


def manages(candidate: tuple[Machine, str], found: Probe) -> Manager | None:
    """What a machine is as a manager, by its answer; one whose node is not among those it knows is another swarm's."""
    machine, node_id = candidate
    if found.state is not State.RUNNING:
        return None
    answer = Manager(machine, tuple(swarm.Node.of(each) for each in found.told or () if isinstance(each, dict)))
    return answer if not node_id or answer.node(node_id) else None


def learn(held: Held, found: Membership, store: Store) -> SwarmNode | None:
    """Have in a machine's record what its engine says of itself as a node; return that.

    A worker does not know its swarm: that is found by the managers that are known here.
    """
    machine = held.machine
    before = node_of(machine)
    if not found.is_in:
        keep(held, None)
        return None
    if before and not found.node:
        return before
    if before and before.node == found.node:
        now = SwarmNode(before.swarm, found.cluster or before.cluster, found.node, found.role, before.before)
    else:
        now = SwarmNode("", found.cluster, found.node, found.role)
    if not now.cluster:
        now.cluster = cluster_of(store, found.node)
    now.swarm = now.swarm or name_of(store, now.cluster, machine.name if now.manages else "")
    if now.node:
        # Who is on its way in is no node yet.
        keep(held, now)
    return now


def keep(held: Held, node: SwarmNode | None) -> None:
    """Have a node in a machine's record, or that it is none."""
    data = node.dump() if node else {}
    if held.machine.swarm != data:
        held.machine.swarm = data
        held.write()


def cluster_of(store: Store, node_id: str) -> str:
    """The ID of the swarm that has a node, as its managers among the machines say; "" where none does."""
    clusters: dict[str, list[tuple[Machine, str]]] = {}
    for machine, node in all_nodes(store):
        if node.manages and node.cluster:
            clusters.setdefault(node.cluster, []).append((machine, node.node))
    for cluster, candidates in clusters.items():
        found = answering(candidates)
        if isinstance(found, Manager) and found.node(node_id):
            return cluster
    return ""


def until(console: Console, done: Callable[[], bool], seconds: float) -> bool:
    """Look again and again until something is so, or the time is over; whether it is. What fails is no yes."""
    end = time.monotonic() + seconds
    while True:
        with suppress(MachineError):
            if done():
                return True
        if time.monotonic() > end:
            return False
        console.pause(PAUSE)
