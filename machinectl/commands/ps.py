"""`ps`: the containers of many machines, whose engines are asked all at once."""

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
    """Which containers, as `docker ps` is told: `last` is how many of the newest, in any state; none is all that run.

    `filters` are docker's, KEY=VALUE, for the engine to understand. `size` has it add up what containers have written,
    which takes it long.
    """

    all: bool = False
    last: int = 0
    size: bool = False
    filters: Sequence[str] = ()

    def question(self) -> EngineQuery:
        """What an engine is asked: GET /containers/json. Raises UsageError for what is no filter."""
        query = {
            "all": "1" if self.all else "",
            "limit": str(self.last) if self.last > 0 else "",
            "size": "1" if self.size else "",
            "filters": plain_json(parsed(self.filters)) if self.filters else "",
        }
        asked = urlencode({key: value for key, value in query.items() if value})
        return EngineQuery(f"/containers/json?{asked}" if asked else "/containers/json", list)


def parsed(filters: Sequence[str]) -> dict[str, dict[str, bool]]:
    """Filters as the API takes them: equal keys OR, different keys AND."""
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
    """The containers of the machines that answered, each with its machine's name, and why the others did not."""

    found: list[tuple[str, Any]]
    failures: list[MachineError]

    def rows(self, *, whole: bool) -> Iterator[tuple[str, Fields]]:
        """Each with docker's fields; long ones are cut where they are not to be `whole`."""
        return ((machine, fields(container, whole=whole)) for machine, container in self.found)


def ps(store: Store, names: Sequence[str], wanted: Wanted, timeout: float) -> Containers:
    """Ask the machines named, or all, for their containers; `timeout` is in seconds, for each of them."""
    machines, missing = recorded_statuses(store, names or store.names(), MachineStatus)
    for _ in query_engines(store, machines, timeout, wanted.question()):
        pass
    why = [*missing, *(refused(failure, wanted) for failure in engine_failures(machines))]
    return Containers([(one.machine.name, each) for one in machines for each in one.told or ()], why)


def refused(failure: MachineError, wanted: Wanted) -> MachineError:
    """The same failure; an engine that does not know a filter knows no journal that helps."""
    if wanted.filters and " answers 400: " in failure.cause:
        return MachineError(
            failure.cause, "Filters are docker's: https://docs.docker.com/reference/cli/docker/container/ls/"
        )
    return failure
