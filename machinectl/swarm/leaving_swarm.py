"""`swarm leave`: drain machines, and remove them from their swarms."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.hosts.workers import work_on_each
from machinectl.machines.record import natural
from machinectl.machines.swarm_node import node_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.console import Console
    from machinectl.hosts.login import Login
    from machinectl.machines.store import Held, Store
    from machinectl.swarm.swarm_join import Leaving


def swarm_leave(
    store: Store, console: Console, names: Sequence[str], leaving: Leaving
) -> Iterator[tuple[str, MachineError | None]]:
    """Run serially, workers first: another node must take the tasks."""

    def work(held: Held, console: Console, login: Login) -> None:
        replace(leaving, login=login).leave(held, console)

    for name in sorted(dict.fromkeys(names), key=lambda name: (manages(store, name), natural(name))):
        yield from work_on_each(store, console, [name], leaving.login, work)


def manages(store: Store, name: str) -> bool:
    try:
        node = node_of(store.read(name))
    except MachineError:
        return False
    return bool(node and node.manages)
