"""`swarm status`: nodes, as their managers report them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from machinectl.engine.swarm_api import INFO, Membership
from machinectl.errors import Hint, MachineError
from machinectl.hosts.identity import refuse_to_wait
from machinectl.hosts.query_engines import MachineStatus, query_engines, recorded_statuses
from machinectl.machines.swarm_node import on_record, on_records
from machinectl.state import State
from machinectl.swarm.swarm_report import swarm_report
from machinectl.swarm_nodes.membership import TrustedSwarms, save_node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.console import Console
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store
    from machinectl.machines.swarm_node import SwarmNode
    from machinectl.swarm.swarm_report import SwarmReport


def swarm_status(store: Store, console: Console, names: Sequence[str], timeout: float) -> list[SwarmReport]:
    """Record what trusted managers report.

    Trusts the manager of an unknown swarm only if it is named. `timeout` covers all engines. Raises MachineError for a
    machine in no swarm.
    """
    wanted = machines_to_query(store, names)
    asked, failures = recorded_statuses(store, wanted, MachineStatus)
    if failures:
        raise failures[0]
    for _ in query_engines(store, asked, timeout, INFO):
        pass
    said = {one.machine.name: Membership.of(one.told) for one in asked if one.state is State.RUNNING}
    believed = TrustedSwarms(store, console.pause)
    for machine in sorted((one.machine for one in asked), key=lambda machine: machine.name not in names):
        is_named = machine.name in names
        if record_report(store, console, believed, machine, said.get(machine.name), is_named=is_named):
            # New managers may know others.
            believed = TrustedSwarms(store, console.pause)
    clusters: dict[str, list[tuple[Machine, SwarmNode]]] = {}
    for machine, node in on_records(store):
        if machine.name in wanted:
            clusters.setdefault(node.cluster or node.node, []).append((machine, node))
    there = {name for known in clusters.values() for machine, node in known for name in (machine.name, node.swarm)}
    for name in names:
        if name not in there:
            failed = next((one.failure for one in asked if one.machine.name == name and one.failure), None)
            raise failed or no_node_error(name, is_node=name in said and said[name].is_in)
    return [swarm_report(believed, known) for known in clusters.values()]


def no_node_error(name: str, *, is_node: bool) -> MachineError:
    register = Hint("Register one of its managers", "machinectl create") | Hint("then", "machinectl swarm status")
    if is_node:
        return MachineError(f'"{name}" calls itself a node of a swarm, but no known manager confirms that', register)
    begin = Hint("Begin one", "machinectl swarm init", name)
    return MachineError(
        f'"{name}" is in no swarm', begin | Hint("or join one", "machinectl swarm join", "<MANAGER>", name)
    )


def machines_to_query(store: Store, names: Sequence[str]) -> list[str]:
    """Return all machines, or the named ones and those in their swarms."""
    if not names:
        return store.names()
    there = on_records(store)
    swarms = {node.swarm for _, node in there}
    for name in names:
        if name not in swarms:
            store.check_exists(name)
    clusters = {node.cluster for machine, node in there if {machine.name, node.swarm} & set(names)} - {""}
    same = [machine.name for machine, node in there if node.cluster in clusters]
    return list(dict.fromkeys([*(name for name in names if store.exists(name)), *same]))


def record_report(
    store: Store,
    console: Console,
    believed: TrustedSwarms,
    machine: Machine,
    said: Membership | None,
    *,
    is_named: bool,
) -> bool:
    """Return whether the manager role changed. Skips locked machines."""
    node = believed.node_to_record(machine, said, is_named=is_named)
    if said and said.manages and (node is None or not node.manages):
        console.warn(
            f'"{machine.name}" calls itself a manager of a swarm, but no known manager confirms that',
            Hint("It is not treated as one. If it began its own swarm", "machinectl swarm status", machine.name),
        )
    if (node.dump() if node else {}) == machine.swarm:
        return False
    before = on_record(machine)
    with suppress(MachineError), store.writing(machine.name, refuse_to_wait) as held:
        # If the record has changed meanwhile, it is newer.
        if held.machine.swarm == machine.swarm:
            save_node(held, node)
    return bool(node and node.manages) != bool(before and before.manages)
