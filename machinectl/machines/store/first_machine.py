"""How to create the first machine, for a store that has none. Light path."""

from __future__ import annotations

import os

from machinectl.errors import Hint, MachineError
from machinectl.machines.store.store_paths import DOCKER_MACHINE_ROOT, StorePaths

# An error has at most three lines.
HINT_LINES = 2


def ways_to_create(name: str = "<NAME>") -> Hint:
    return Hint("Set up a server over SSH", "machinectl create <USER>@<HOST>", name) | Hint(
        "register an engine that runs", "machinectl create tcp://<HOST>:2376", name
    )


def first_steps(name: str = "<NAME>") -> Hint:
    """Return a part per way, for docker-machine's users first the import of their machines."""
    old = Hint("Import docker-machine's machines", "machinectl import --from-docker-machine")
    return old | ways_to_create(name) if docker_machine_is_used() else ways_to_create(name)


def first_step_hint(name: str = "<NAME>") -> Hint:
    return Hint.of(*first_steps(name).parts[:HINT_LINES])


def docker_machine_is_used() -> bool:
    old = StorePaths(os.path.expanduser(DOCKER_MACHINE_ROOT))
    try:
        return any(map(old.is_docker_machines, old.names()))
    except MachineError:
        return False
