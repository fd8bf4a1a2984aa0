"""`swarm init`: start a swarm with the machine's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.hosts.swarm_formation.swarm_roles import begin_swarm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.console import Console
    from machinectl.errors import MachineError
    from machinectl.hosts.swarm_formation.swarm_join import Joining
    from machinectl.machines.store import Store


def swarm_init(
    store: Store, console: Console, name: str, joining: Joining
) -> Iterator[tuple[str, MachineError | None]]:
    yield from begin_swarm(store, console, name, joining)
