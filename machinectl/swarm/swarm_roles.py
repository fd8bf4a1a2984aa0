"""Form a swarm: the first manager begins it, the others join."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from machinectl.engine.swarm_api import INFO, Membership
from machinectl.errors import Hint, MachineError
from machinectl.hosts.identity import ask_machines
from machinectl.machines.record import natural
from machinectl.machines.swarm_node import MANAGER, WORKER, node_of, on_record
from machinectl.state import State
from machinectl.swarm.swarm_members import begin_swarm, join_machines
from machinectl.swarm_nodes.managers import Manager, NoManager, find_answering_manager, require_answering_manager
from machinectl.swarm_nodes.membership import TrustedSwarms, update_recorded_node

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from machinectl.console import Console
    from machinectl.machines.store import Store
    from machinectl.swarm.swarm_join import Joining
    from machinectl.swarm.swarm_members import Results

# Seconds. A starting engine needs a moment.
PATIENCE = 10.0


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
        found = memberships(store, [*self.roles, *self.others])
        to = existing_manager(store, self, found)
        done = set()
        if to is None:
            self._check_readable()
            self._check_not_silent(store, found)
            first = next((name for name in self.managers if name in self.roles), None)
            if first is None:
                raise MachineError(
                    f"{', '.join(self.managers)}: a manager by its record, but its engine is in no swarm",
                    Hint("Correct its record", "machinectl swarm status", self.managers[0])
                    | Hint("then apply it, too"),
                )
            for name, failed in begin_swarm(store, console, first, joining):
                yield name, failed
                if failed:
                    return
            done.add(first)
            to = manager_at(store, [first])
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

    def _check_not_silent(self, store: Store, found: dict[str, Membership]) -> None:
        """Raise MachineError if a recorded node does not answer: its swarm may exist."""
        everyone = [*self.roles, *self.others]
        silent = [name for name in everyone if name not in found and on_record(store.read(name))]
        if silent:
            raise MachineError(
                f"{', '.join(silent)}: in a swarm by record, but no answer from its engine",
                Hint("Find out why", "machinectl doctor", silent[0]),
            )


def memberships(store: Store, names: Iterable[str]) -> dict[str, Membership]:
    """Ask engines in parallel; leave out those that do not answer."""
    machines = {name: store.read_ready(name) for name in names}
    answers = ask_machines(machines, PATIENCE, INFO)
    return {name: Membership.of(found.told) for name, found in answers if found.state is State.RUNNING}


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
        to_be = (named_manager(store, name, found[name]) for name in there if roles.roles.get(name) == MANAGER)
        to = next(filter(None, to_be), NoManager())
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


def named_manager(store: Store, name: str, found: Membership) -> Manager | None:
    """Record and return a machine as a manager, if its engine is one."""
    if not found.manages:
        return None
    with store.writing(name) as held:
        node = update_recorded_node(held, found, as_manager=True)
    to = find_answering_manager([store.read(name)]) if node and node.manages else None
    return to if isinstance(to, Manager) else None


def manager_at(store: Store, names: Iterable[str]) -> Manager:
    """Return the first manager that answers. Raises MachineError."""
    known = [(machine, node) for name in names if (node := node_of(machine := store.read(name))) and node.manages]
    swarm, cluster = (known[0][1].swarm, known[0][1].cluster) if known else ("", "")
    return require_answering_manager(swarm, [machine for machine, node in known if node.cluster == cluster])


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
