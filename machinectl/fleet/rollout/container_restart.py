"""Wait until containers run again after an engine's restart."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from machinectl.engine import EngineQuery
from machinectl.engine.endpoint import Deadline
from machinectl.errors import Hint, MachineError, one_line
from machinectl.hosts.pending_certificates import probe_any_set
from machinectl.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from machinectl.console import Console
    from machinectl.machines.record import Machine

    # Names by ID; None if the engine does not answer.
    Containers = Mapping[str, str] | None
    Ask = Callable[[Machine], Containers]

# Without `all`, engines list only running containers.
QUESTION = EngineQuery("/containers/json?all=1", list)
# Seconds. An engine does not answer at once after its start.
ANSWERS_WITHIN = 10.0
# Seconds. Docker gives a container 10 s to stop; a start takes longer.
BACK_WITHIN = 120.0
PAUSE = 0.5
UP = {"running", "paused"}
# The status of a container that ended without an error.
DONE = "Exited (0)"
# Swarm replaces tasks by new ones, maybe on other nodes.
TASK = "com.docker.swarm.task.id"


def running_containers(machine: Machine) -> Containers:
    return list_containers(machine, is_up)


def stopped_containers(machine: Machine) -> Containers:
    """Return the containers that do not run, except finished jobs."""
    return list_containers(machine, lambda each: not (is_up(each) or str(each.get("Status")).startswith(DONE)))


def is_up(container: Mapping[str, Any]) -> bool:
    return str(container.get("State")) in UP


def is_task(container: Mapping[str, Any]) -> bool:
    labels = container.get("Labels")
    return isinstance(labels, dict) and TASK in labels


def list_containers(machine: Machine, is_wanted: Callable[[Mapping[str, Any]], bool]) -> Containers:
    """Return containers except Swarm tasks; None if the engine does not answer."""
    found, _ = probe_any_set(machine, Deadline(ANSWERS_WITHIN), QUESTION)
    if found.state is not State.RUNNING:
        return None
    listed = [each for each in found.told if isinstance(each, dict) and not is_task(each)]
    return {str(each.get("Id")): name_of(each) for each in listed if is_wanted(each)}


def name_of(container: Mapping[str, Any]) -> str:
    names = container.get("Names")
    name = str(names[0]).removeprefix("/") if isinstance(names, list) and names else ""
    return one_line(name or str(container.get("Id"))[:12])


def wait_for_containers(
    machine: Machine,
    before: Containers,
    console: Console,
    *,
    ask: Ask = stopped_containers,
    within: float = BACK_WITHIN,
) -> None:
    """Wait until the engine answers, and no container in `before` is down. Raises MachineError."""
    with console.step("Waiting for the engine and its containers"):
        end = time.monotonic() + within
        while True:
            now = ask(machine)
            missing = sorted(name for container, name in (before or {}).items() if container in (now or {}))
            if now is not None and not missing:
                return
            if time.monotonic() >= end:
                break
            console.pause(PAUSE)
    if now is None:
        raise MachineError(
            f'The engine of "{machine.name}" does not answer after its restart',
            Hint("Find out why", "machinectl doctor", machine.name),
        )
    raise MachineError(
        f"The engine restarted, but these containers do not run again: {', '.join(missing)}",
        Hint("See why", "machinectl ps -a", machine.name),
    )
