"""`ps`: the containers of many machines, asked in parallel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from machinectl.engine import EngineQuery
from machinectl.errors import MachineError, UsageError
from machinectl.go.docker_ps import Fields, fields
from machinectl.go.value_format import plain_json
from machinectl.hosts.status.query_engines import MachineStatus, engine_failures, query_engines, recorded_statuses

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.machines.store import Store


@dataclass(frozen=True)
class Wanted:
    """Which containers, with docker ps's flags: `last` is how many of the newest, in any state; 0 is all running.

    `filters` are docker's KEY=VALUE, for the engine. `size` makes the engine add up what containers wrote, which is
    slow.
    """

    all: bool = False
    last: int = 0
    size: bool = False
    filters: Sequence[str] = ()

    def question(self) -> EngineQuery:
        """The query: GET /containers/json. Raises UsageError for an invalid filter."""
        query = {
            "all": "1" if self.all else "",
            "limit": str(self.last) if self.last > 0 else "",
            "size": "1" if self.size else "",
            "filters": plain_json(parsed(self.filters)) if self.filters else "",
        }
        asked = urlencode({key: value for key, value in query.items() if value})
        return EngineQuery(f"/containers/json?{asked}" if asked else "/containers/json", list)


def parsed(filters: Sequence[str]) -> dict[str, dict[str, bool]]:
    """Return filters for the API: equal keys are alternatives, different keys must all match."""
    found: dict[str, dict[str, bool]] = {}
    for given in filters:
        key, equals, value = given.partition("=")
        if not equals:
            raise UsageError(
                f"--filter {given!r} is not KEY=VALUE", "Write a filter as docker ps takes it: --filter status=exited"
            )
        found.setdefault(key.strip().lower(), {})[value.strip()] = True
    return found


@dataclass(frozen=True)
class Containers:
    """The containers with their machines' names, and the errors of machines that did not answer."""

    found: list[tuple[str, Any]]
    failures: list[MachineError]

    def rows(self, *, whole: bool) -> Iterator[tuple[str, Fields]]:
        """Return docker's fields of each; unless `whole`, long ones are cut."""
        return ((machine, fields(container, whole=whole)) for machine, container in self.found)


def ps(store: Store, names: Sequence[str], wanted: Wanted, timeout: float) -> Containers:
    """Ask the given machines, or all, for their containers; `timeout` is in seconds, for each."""
    machines, missing = recorded_statuses(store, names or store.names(), MachineStatus)
    for _ in query_engines(store, machines, timeout, wanted.question()):
        pass
    why = [*missing, *(refused(failure, wanted) for failure in engine_failures(machines))]
    return Containers([(one.machine.name, each) for one in machines for each in one.told or ()], why)


def refused(failure: MachineError, wanted: Wanted) -> MachineError:
    """Return the error without the hint on the journal: a bad filter is not in it."""
    if wanted.filters and " answers 400: " in failure.cause:
        return MachineError(
            failure.cause, "Filters are docker's: https://docs.docker.com/reference/cli/docker/container/ls/"
        )
    return failure
