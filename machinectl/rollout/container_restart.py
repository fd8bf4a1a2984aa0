"""Wait until containers run again after an engine's restart."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from machinectl.engine import EngineQuery
from machinectl.engine.endpoint import Deadline
from machinectl.errors import MachineError, one_line
from machinectl.hosts.certificates.pending import probe_any_set
from machinectl.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
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
    told = list_containers(machine)
    return None if told is None else by_id(each for each in told if is_up(each))


def stopped_containers(machine: Machine) -> Containers:
    """Return the containers that do not run, except finished jobs."""
    told = list_containers(machine)
    return None if told is None else by_id(each for each in told if not (is_up(each) or is_done(each)))


def list_containers(machine: Machine) -> list[dict[str, Any]] | None:
    """Return all containers except Swarm tasks; None if the engine does not answer."""
    found, _ = probe_any_set(machine, Deadline(ANSWERS_WITHIN), QUESTION)
    if found.state is not State.RUNNING:
        return None
    return [each for each in found.told if isinstance(each, dict) and not is_task(each)]


def by_id(told: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    return {str(each.get("Id")): name_of(each) for each in told}


def is_up(container: Mapping[str, Any]) -> bool:
    return str(container.get("State")) in UP


def is_done(container: Mapping[str, Any]) -> bool:
    return str(container.get("Status")).startswith(DONE)


def is_task(container: Mapping[str, Any]) -> bool:
    labels = container.get("Labels")
    return isinstance(labels, dict) and TASK in labels


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
        while (missing := lost_containers(before, now := ask(machine))) or now is None:
            if time.monotonic() >= end:
                raise containers_gone_error(machine, missing, answers=now is not None)
            console.pause(PAUSE)


def lost_containers(before: Containers, stopped_containers: Containers) -> list[str]:
    return sorted(name for container, name in (before or {}).items() if container in (stopped_containers or {}))


def containers_gone_error(machine: Machine, missing: list[str], *, answers: bool) -> MachineError:
    if not answers:
        return MachineError(
            f'The engine of "{machine.name}" does not answer after its restart',
            f"Find out why: machinectl doctor {machine.name}",
        )
    return MachineError(
        f"The engine restarted, but these containers do not run again: {', '.join(missing)}",
        f"See why: machinectl ps -a {machine.name}",
    )
