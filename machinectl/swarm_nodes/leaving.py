"""Make a machine leave its swarm.

The record says LEAVING until all is done, so that the next command can finish an interrupted run.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.engine import swarm_api
from machinectl.errors import Hint, MachineError
from machinectl.machines.machine_driver import endpoint_of
from machinectl.machines.record import check_ready
from machinectl.machines.swarm_node import LEAVING, MANAGER, MEMBER, SwarmNode, on_record
from machinectl.swarm_nodes import draining
from machinectl.swarm_nodes.managers import Manager, Quorum, find_answering_manager, wait_until
from machinectl.swarm_nodes.membership import TrustedSwarms, call_manager, save_node, update_recorded_node

if TYPE_CHECKING:
    from machinectl.console import Console
    from machinectl.machines.store import Held

# Seconds until managers and engines agree on a node or role.
HEARD_WITHIN = 30.0
NOT_FOUND = 404


@dataclass(frozen=True)
class SwarmDeparture:
    """Makes a machine leave. `force` also allows it for the last manager, and nodes unknown to managers."""

    force: bool = False

    def carry_out(self, held: Held, console: Console) -> bool:
        """Leave the swarm; return False if there was none. Raises MachineError."""
        machine = check_ready(held.machine)
        try:
            state = swarm_api.membership(endpoint_of(machine))
        except MachineError as exc:
            self._forget_silent(held, console, exc)
            return True
        before = on_record(machine)
        node = update_recorded_node(held, state)
        if state.is_in:
            try:
                # Without a record, ask no manager: the engine may claim any node ID.
                self._take_out(held, console, node or SwarmNode(held.name, "", state.node, state.role))
            except MachineError:
                restore_membership(held, console)
                raise
        elif node:
            try:
                self._forget(held, console, node)
            except MachineError as exc:
                if not self.force:
                    raise
                console.warn(exc.cause, Hint("On a manager", "docker node rm --force", node.node))
            save_node(held, None)
        return bool(before or state.is_in)

    def _take_out(self, held: Held, console: Console, node: SwarmNode) -> None:
        other = another_manager(held, node)
        if other is None:
            self._leave_alone(held, console, node)
            return
        listed = other.node(node.node)
        if listed is None:
            # Its swarm has forgotten it.
            swarm_api.leave_swarm(endpoint_of(held.machine), force=True)
            save_node(held, None)
            return
        others = Quorum.of(each for each in other.nodes if each.id != node.node)
        if listed.manages and others.spare < 0 and not self.force:
            raise MachineError(
                f'Without "{held.name}" the swarm has no quorum: {others.reachable} of its {others.managers} other '
                f"managers can be reached, and {others.needed} must be",
                stay_or_leave(held.name),
            )
        record_membership(held, node, LEAVING)
        drainer = draining.DrainManager(held.store, other, listed)
        if drainer.has_other_nodes:
            with draining.swarm_locked(held, console, node):
                draining.drain_node(held, console, drainer)
        if listed.manages:
            with console.step(f'Demoting "{held.name}" to a worker'):
                demote_manager(held, console, node)
                # The engine refuses to leave as a manager.
                endpoint = endpoint_of(held.machine)
                wait_until(console, lambda: not swarm_api.membership(endpoint).manages, HEARD_WITHIN)
        with console.step(f'Leaving the swarm "{node.swarm}": "{held.name}"'):
            swarm_api.leave_swarm(endpoint_of(held.machine), force=self.force)
        self._forget(held, console, node)
        save_node(held, None)

    def _leave_alone(self, held: Held, console: Console, node: SwarmNode) -> None:
        """Leave without a manager's help; needs `force`."""
        name = held.name
        if not self.force:
            raise cannot_leave_alone(held, node)
        known = on_record(held.machine)
        if known:
            record_membership(held, known, LEAVING)
        with console.step(f'Leaving the swarm "{node.swarm}": "{name}"'):
            swarm_api.leave_swarm(endpoint_of(held.machine), force=True)
        is_listed = known is not None and TrustedSwarms(held.store).has_others(name, node.cluster)
        if is_listed or (node.node and node.role != MANAGER):
            console.warn(f'The managers still list "{name}"', Hint("On a manager", "docker node rm", node.node))
        if not is_listed:
            save_node(held, None)

    def _forget_silent(self, held: Held, console: Console, why: MachineError) -> None:
        """Remove a node whose engine does not answer."""
        name, node = held.name, on_record(held.machine)
        if node is None or not node.node or not self.force:
            if node:
                why.hint = why.hint | Hint("or make the other nodes forget it", "machinectl swarm leave --force", name)
            raise why
        if another_manager(held, node) is None:
            raise cannot_leave_alone(held, node) from why
        console.warn(
            f"{why.cause}; the other nodes forget it",
            Hint("When it is back, its engine still acts as a node", "machinectl swarm leave --force", name),
        )
        record_membership(held, node, LEAVING)
        if node.role == MANAGER:
            demote_manager(held, console, node)
        self._forget(held, console, node)

    def _forget(self, held: Held, console: Console, node: SwarmNode) -> None:
        """Remove a node that left, by force: managers take ten seconds to notice."""
        if not TrustedSwarms(held.store).has_others(held.name, node.cluster):
            return

        def remove(other: Manager) -> None:
            try:
                swarm_api.remove_node(other.endpoint, node.node, force=True)
            except swarm_api.Refusal as exc:
                if exc.status != NOT_FOUND:
                    raise

        with console.step(f'Removing "{held.name}" from the list of nodes'):
            try:
                call_manager(held.store, node.cluster, remove, last=held.name, pause=console.pause)
            except MachineError as exc:
                raise MachineError(
                    f'"{held.name}" has left its swarm, whose managers still list it: {exc.cause}',
                    Hint("Finish that", "machinectl swarm leave", held.name)
                    | Hint("or give up", "machinectl swarm leave --force", held.name),
                ) from exc


def finish_departure(held: Held, console: Console) -> None:
    """Record the membership, and finish an interrupted departure. A failure is a warning."""
    try:
        state = swarm_api.membership(endpoint_of(held.machine))
    except MachineError:
        return
    try:
        node = update_recorded_node(held, state)
        if node and node.membership == LEAVING:
            SwarmDeparture().carry_out(held, console)
    except MachineError as exc:
        console.warn(f'"{held.name}" is not out of its swarm yet: {exc.cause}', exc.hint)


def record_membership(held: Held, node: SwarmNode, membership: str) -> None:
    save_node(held, SwarmNode(node.swarm, node.cluster, node.node, node.role, node.before, membership))


def restore_membership(held: Held, console: Console) -> None:
    """Undo a failed departure, if the machine is still a node."""
    node = on_record(held.machine)
    if node is None or node.membership != LEAVING:
        return
    try:
        is_in = swarm_api.membership(endpoint_of(held.machine)).is_in
    except MachineError:
        return
    if is_in:
        draining.restore_availability(held, console)
        record_membership(held, on_record(held.machine) or node, MEMBER)


def demote_manager(held: Held, console: Console, node: SwarmNode) -> None:
    call_manager(
        held.store,
        node.cluster,
        lambda other: swarm_api.update_node(other.endpoint, node.node, Role="worker"),
        last=held.name,
        pause=console.pause,
    )


def another_manager(held: Held, node: SwarmNode) -> Manager | None:
    """Return another manager of the swarm that answers."""
    others = [each for each in TrustedSwarms(held.store).managers(node.cluster) if each.name != held.name]
    found = find_answering_manager(others)
    return found if isinstance(found, Manager) else None


def cannot_leave_alone(held: Held, node: SwarmNode) -> MachineError:
    name = held.name
    if node.role == MANAGER:
        with suppress(MachineError):
            if Quorum.of(swarm_api.nodes(endpoint_of(held.machine))).managers == 1:
                why = f'"{name}" is the last manager of the swarm "{node.swarm}", which ends with it'
                join = Hint("Make another machine one", "machinectl swarm join --manager", name, "<NAME>")
                return MachineError(why, join | Hint("or end the swarm", "machinectl swarm leave --force", name))
    why = f'No other manager of the swarm of "{name}" is a machine here that answers: it would leave undrained'
    return MachineError(why, stay_or_leave(name))


def stay_or_leave(name: str) -> Hint:
    return Hint("See", "machinectl swarm status", name) | Hint(
        "or leave anyway", "machinectl swarm leave --force", name
    )
