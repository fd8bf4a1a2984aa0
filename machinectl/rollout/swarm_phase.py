"""Form the swarm when all its machines are ready: no second one must begin."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.machines.record import Phase
from machinectl.rollout.apply_run import Forming
from machinectl.rollout.plan_steps import Did, Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from machinectl.console import Console
    from machinectl.hosts.connection.login import Access
    from machinectl.hosts.swarm_formation.swarm_roles import Roles
    from machinectl.rollout.apply_run import ApplyRun


def choose_roles(run: ApplyRun, _: Console) -> Sequence[Result]:
    wanted = {
        name: step.host.swarm for name, step in run.steps.items() if step.host and step.host.swarm and not step.error
    }
    if wanted:
        from machinectl.hosts.swarm_formation.swarm_roles import Roles
        from machinectl.machines.swarm_node import node_of

        others = {
            name: node.role
            for name, machine in run.machines.items()
            if name not in run.steps
            and machine.phase is Phase.READY
            and run.fleet.owns(machine.fleet)
            and (node := node_of(machine))
        }
        roles = Roles(wanted, others, run.unreadable)
        run.forming = Forming(roles, list(roles.differing(run.store)))
    return ()


def except_joining(run: ApplyRun, results: Iterable[Result]) -> Iterator[Result]:
    for result in results:
        if run.forming is None or not run.forming.keeps(result):
            yield result


def form_swarm(run: ApplyRun, console: Console) -> Iterator[Result]:
    """Join machines, and yield the results that waited."""
    if run.forming is None:
        return
    roles, ready = run.forming.roles, run.forming.ready
    joining = [name for name in run.forming.joining if name in ready or run.differs_only_in(name, "swarm", "fleet")]
    if joining and not run.forming.is_blocked:
        for result in join_nodes(run, console, roles, joining):
            yield result if result.error else ready.get(result.name, result)
            ready.pop(result.name, None)
            if result.name in joining:
                joining.remove(result.name)
    for name in joining:
        why = MachineError(f'"{name}" did not join the swarm: its other machines have to be ready first')
        yield Result(name, Did.UNFINISHED if name in run.touched else Did.NOT_BEGUN, why)
    yield from (result for name, result in ready.items() if name not in joining)


def join_nodes(run: ApplyRun, console: Console, roles: Roles, joining: Sequence[str]) -> Iterator[Result]:
    """Yield machines that joined or failed; the first one fails if no swarm can be formed."""
    from machinectl.hosts.swarm_formation.swarm_join import Joining

    began: dict[str, float] = {}

    def own_access(name: str, _: Access) -> Access:
        began[name] = time.monotonic()
        run.touched.add(name)
        return run.access(name)

    try:
        for name, error in roles.form(run.store, console, Joining(run.options.access, own=own_access)):
            # A node whose engine lost its recorded role has work, too.
            if name in joining or name in began:
                run.seconds[name] += time.monotonic() - began[name] if name in began else 0
                run.did[name] = Did.FAILED if error else Did.CHANGED
                yield Result(name, run.did[name], error)
    except MachineError as exc:
        yield from (Result(name, Did.FAILED, exc) for name in joining[:1])
