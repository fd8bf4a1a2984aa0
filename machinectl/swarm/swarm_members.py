"""Begin swarms, join machines to them, make machines leave, and form a swarm from roles: several at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from machinectl.engine import swarm_api
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.hosts.identity import ask_machines
from machinectl.hosts.workers import work_on_each
from machinectl.machines.machine_driver import endpoint_of
from machinectl.machines.record import natural
from machinectl.machines.selection import waiting
from machinectl.machines.swarm_node import MANAGER, MEMBER, WORKER, all_nodes, node_of, on_record, on_records
from machinectl.state import State
from machinectl.swarm.swarm_join import leave_swarm
from machinectl.swarm_nodes.managers import Manager, NoManager, find_answering_manager
from machinectl.swarm_nodes.membership import TrustedSwarms, find_manager, update_recorded_node

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from machinectl.console import Console
    from machinectl.engine.swarm_api import Membership
    from machinectl.hosts.login import Login
    from machinectl.machines.store import Held, Store
    from machinectl.machines.swarm_node import SwarmNode
    from machinectl.swarm.swarm_join import Joining

    Results = Iterator[tuple[str, MachineError | None]]

# Seconds. A starting engine needs a moment.
PATIENCE = 10.0


def begin_swarm(store: Store, console: Console, name: str, joining: Joining) -> Results:
    yield from work_on_each(
        store, console, [name], joining.login, lambda held, console, login: joining.at(name, login).init(held, console)
    )


def join_machines(
    store: Store, console: Console, to: Manager, names: Iterable[str], joining: Joining, role: str
) -> Results:
    """Yield each machine, with an error if that fails. Managers join one by one, as each changes the quorum."""

    def work(held: Held, console: Console, login: Login) -> None:
        joining.at(held.name, login).join(held, console, to, role)

    wanted = sorted(dict.fromkeys(names), key=natural)
    batches = [[name] for name in wanted] if role == MANAGER else [wanted] if wanted else []
    for batch in batches:
        yield from work_on_each(store, console, batch, joining.login, work)


def swarm_join(store: Store, console: Console, to: str, names: Sequence[str], joining: Joining, role: str) -> Results:
    """Join through `to`, a manager or a swarm."""
    # With --all, the manager is one of them.
    names = [name for name in names if name != to]
    if not names:
        raise UsageError(
            f'"{to}" cannot join itself', Hint("Name another manager", "machinectl swarm join", "<MANAGER>", to)
        )
    found = manager_to_join(store, console, to, [*(["--manager"] if role == MANAGER else []), *names])
    yield from join_machines(store, console, found, names, joining, role)


def manager_to_join(store: Store, console: Console, name: str, rest: Sequence[str]) -> Manager:
    """Return the named manager, or any of the swarm with that name.

    `rest` is for hints.
    """
    is_machine = store.exists(name) and not (
        on_record(store.read(name)) is None and any(node.swarm == name for _, node in all_nodes(store))
    )
    if not is_machine:
        return find_manager(store, name)
    node = node_of_manager(store, console, name)
    others = [machine.name for machine in TrustedSwarms(store).managers(node.cluster) if machine.name != name]
    hint = Hint("See", "machinectl swarm status", name)
    if others:
        hint |= Hint("or join through another", "machinectl swarm join", others[0], *rest)
    if not node.manages:
        what = f"a {node.role}" if node.membership == MEMBER else f"a node ({node.membership})"
        raise MachineError(f'"{name}" is {what} of the swarm "{node.swarm}": others cannot join through it', hint)
    found = find_answering_manager([store.read(name)], pause=console.pause)
    if isinstance(found, Manager):
        return found
    raise MachineError(f'"{name}" does not answer as a manager of its swarm: {found.why}', hint)


def node_of_manager(store: Store, console: Console, name: str) -> SwarmNode:
    """Return the recorded manager, else ask the engine and update the record."""
    machine = store.read_ready(name)
    node = on_record(machine)
    if node is None or not node.manages:
        state = swarm_api.membership(endpoint_of(machine))
        with store.writing(name, waiting(console, name)) as held:
            node = update_recorded_node(held, state, as_manager=node is None)
    if node is None:
        raise MachineError(f'"{name}" is in no swarm', Hint("Begin one", "machinectl swarm init", name))
    return node


def swarm_leave(store: Store, console: Console, names: Sequence[str], login: Login, *, force: bool) -> Results:
    """Run serially, workers first: another node must take the tasks."""
    managers = {machine.name for machine, node in on_records(store) if node.manages}
    for name in sorted(dict.fromkeys(names), key=lambda name: (name in managers, natural(name))):
        yield from work_on_each(store, console, [name], login, partial(leave_swarm, force=force))


@dataclass(frozen=True)
class Roles:
    """`others` are recorded nodes of the swarm that are never changed; `unreadable` machines may be nodes."""

    roles: Mapping[str, str]
    others: Mapping[str, str] = field(default_factory=dict)
    unreadable: Collection[str] = ()

    @property
    def managers(self) -> list[str]:
        everyone = {**self.others, **self.roles}
        return [name for name, role in everyone.items() if role == MANAGER]

    def differing(self, store: Store) -> dict[str, str]:
        """Return the recorded roles that differ, "" for no node."""
        there = {name: node_of(store.read(name)) if store.exists(name) else None for name in self.roles}
        known = {name: node.role if node else "" for name, node in there.items()}
        return {name: role for name, role in known.items() if role != self.roles[name]}

    def check(self) -> None:
        if self.roles and not self.managers:
            self._check_readable()
            raise MachineError(
                f"A swarm needs a manager, and all of these are workers: {', '.join(self.roles)}",
                Hint("Choose its managers, too, or make one or three of these managers: swarm: manager"),
            )

    def form(self, store: Store, console: Console, joining: Joining) -> Results:
        """Yield each machine with an error or None. The first manager begins a missing swarm. Raises MachineError."""
        self.check()
        if not self.roles:
            return
        # Leave out engines that do not answer.
        machines = {name: store.read_ready(name) for name in [*self.roles, *self.others]}
        answers = ask_machines(machines, PATIENCE, swarm_api.INFO)
        found = {
            name: swarm_api.Membership.of(answer.told) for name, answer in answers if answer.state is State.RUNNING
        }
        to = existing_manager(store, self, found)
        done = set()
        if to is None:
            self._check_readable()
            if silent := [name for name in machines if name not in found and on_record(machines[name])]:
                raise MachineError(
                    f"{', '.join(silent)}: in a swarm by record, but no answer from its engine",
                    Hint("Find out why", "machinectl doctor", silent[0]),
                )
            first = next((name for name in self.managers if name in self.roles), None)
            if first is None:
                raise MachineError(
                    f"{', '.join(self.managers)}: a manager by its record, but its engine is in no swarm",
                    Hint("Correct its record", "machinectl swarm status", self.managers[0]),
                )
            for name, failed in begin_swarm(store, console, first, joining):
                yield name, failed
                if failed:
                    return
            done.add(first)
            to = find_manager(store, first)
        for role in (MANAGER, WORKER):
            wanted = [name for name, asked in self.roles.items() if asked == role and name not in done]
            right = [name for name in wanted if has_role(store, to, name, found.get(name), role)]
            yield from ((name, None) for name in right)
            yield from join_machines(store, console, to, (name for name in wanted if name not in right), joining, role)

    def _check_readable(self) -> None:
        if self.unreadable:
            first, *more = sorted(self.unreadable, key=natural)
            raise MachineError(
                f"No manager is known, and the record of {', '.join([first, *more])} cannot be read: it may be one",
                Hint("See what is wrong with it", "machinectl status", first),
            )


def existing_manager(store: Store, roles: Roles, found: Mapping[str, Membership]) -> Manager | None:
    """Return a manager through which machines join; None if there is no swarm.

    Trust recorded managers, else only the file's: a worker's engine must not get the other machines. Raises
    MachineError if no manager of an existing swarm answers.
    """
    everybody = dict.fromkeys([*roles.managers, *roles.roles, *roles.others])
    known = {name: node for name in everybody if (node := node_of(store.read(name))) and node.cluster}
    clusters = [node.cluster for name, node in known.items() if name not in found or not found[name].is_out]
    there = [name for name in everybody if name in found and found[name].is_in]
    if clusters:
        to = find_answering_manager(TrustedSwarms(store).managers(clusters[0]))
    else:
        to = NoManager()
        for name in there:
            if roles.roles.get(name) == MANAGER and found[name].manages and not isinstance(to, Manager):
                with store.writing(name) as held:
                    node = update_recorded_node(held, found[name], as_manager=True)
                to = find_answering_manager([store.read(name)]) if node and node.manages else to
    if isinstance(to, Manager):
        return to
    if not (there or clusters):
        return None
    names = there or list(known)
    raise MachineError(
        f"{', '.join(names)}: in a swarm already, but no known manager of it answers",
        Hint("See", "machinectl swarm status", names[0])
        | Hint("or start over", "machinectl swarm leave --force", *names),
    )


def has_role(store: Store, to: Manager, name: str, found: Membership | None, role: str) -> bool:
    """Return whether engine, manager and record agree on swarm and role."""
    known = node_of(store.read(name))
    listed = to.node(known.node) if known else None
    return bool(
        found
        and known
        and listed
        and (found.is_in and found.node == known.node)
        and (known.cluster == to.cluster and known.role == listed.role == role)
    )
