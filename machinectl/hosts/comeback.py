"""The containers of an engine that is restarted: which ran before, and whether they are back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from machinectl.engine import Question
from machinectl.engine.endpoint import Deadline
from machinectl.errors import MachineError, one_line
from machinectl.hosts.pending import look
from machinectl.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from machinectl.console import Console
    from machinectl.machines.record import Machine

    # The containers that run by their ids, each with its name; None where the engine does not answer.
    Containers = Mapping[str, str] | None
    Ask = Callable[[Machine], Containers]

# Of those that run, GET /containers/json tells alone.
QUESTION = Question("/containers/json", list)
# An engine answers in milliseconds, and in seconds just after its start. Seconds.
ANSWERS_WITHIN = 10.0
# What containers may take that start with their engine: as long as docker gives one to stop, many times. Seconds.
BACK_WITHIN = 120.0
PAUSE = 0.5
UP = {"running", "paused"}
# The label of a Swarm's tasks: the Swarm starts others in their place, maybe elsewhere.
TASK = "com.docker.swarm.task.id"


def running(machine: Machine) -> Containers:
    """The containers that run on a machine's engine, asked over its API."""
    found, _ = look(machine, Deadline(ANSWERS_WITHIN), QUESTION)
    return None if found.state is not State.RUNNING else by_id(found.told)


def by_id(told: list[Any]) -> dict[str, str]:
    """The containers of an answer that are up and not a Swarm's, by their ids; what is none is passed over."""
    up = (each for each in told if isinstance(each, dict) and str(each.get("State")) in UP)
    return {str(each.get("Id")): name_of(each) for each in up if not is_task(each)}


def is_task(container: Mapping[str, Any]) -> bool:
    labels = container.get("Labels")
    return isinstance(labels, dict) and TASK in labels


def name_of(container: Mapping[str, Any]) -> str:
    names = container.get("Names")
    name = str(names[0]).removeprefix("/") if isinstance(names, list) and names else ""
    return one_line(name or str(container.get("Id"))[:12])


def wait_for(
    machine: Machine, before: Containers, console: Console, *, ask: Ask = running, within: float = BACK_WITHIN
) -> None:
    """Wait until a machine's engine answers, and those run again that ran before. Raises MachineError."""
    with console.step("Waiting for the engine and its containers"):
        end = time.monotonic() + within
        while (missing := lost(before, now := ask(machine))) or now is None:
            if time.monotonic() >= end:
                raise gone(machine, missing, answers=now is not None)
            console.pause(PAUSE)


def lost(before: Containers, now: Containers) -> list[str]:
    """The names of those that ran and do not run now."""
    return sorted(name for container, name in (before or {}).items() if container not in (now or {}))


def gone(machine: Machine, missing: list[str], *, answers: bool) -> MachineError:
    if not answers:
        return MachineError(
            f'The engine of "{machine.name}" does not answer any more after its restart',
            f"Find out why: machinectl doctor {machine.name}",
        )
    return MachineError(
        f"The engine was restarted, and does not run again what ran before: {', '.join(missing)}",
        f"See why: machinectl ps -a {machine.name}",
    )
