"""`ps`: the containers of many machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from machinectl.cli.go.docker_ps import Fields, container_fields
from machinectl.cli.go.value_format import plain_json
from machinectl.engine import EngineQuery
from machinectl.hosts.query_engines import (
    MachineStatus,
    docker_filters,
    failures_with_filters,
    query_engines,
    recorded_statuses,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.errors import MachineError
    from machinectl.machines.store import Store


@dataclass(frozen=True)
class ContainerQuery:
    """docker ps's flags. `size` is slow: the engine adds up what containers wrote.

    `last` is how many of the newest, even stopped ones; 0 means no limit.
    """

    all: bool = False
    last: int = 0
    size: bool = False
    filters: Sequence[str] = ()

    def question(self) -> EngineQuery:
        """Raise UsageError for an invalid filter."""
        query = {
            "all": "1" if self.all else "",
            "limit": str(self.last) if self.last > 0 else "",
            "size": "1" if self.size else "",
            "filters": plain_json(docker_filters(self.filters, "status=exited")) if self.filters else "",
        }
        asked = urlencode({key: value for key, value in query.items() if value})
        return EngineQuery(f"/containers/json?{asked}" if asked else "/containers/json", list)


@dataclass(frozen=True)
class Containers:
    """`asked` counts the machines, `answered` those whose engine answered."""

    asked: int
    answered: int
    found: list[tuple[str, Any]]
    failures: list[MachineError]

    def rows(self, *, whole: bool) -> Iterator[tuple[str, Fields]]:
        """Shorten docker's fields unless `whole`."""
        return ((machine, container_fields(container, whole=whole)) for machine, container in self.found)


def ps(store: Store, names: Sequence[str], wanted: ContainerQuery, timeout: float) -> Containers:
    """Query the given machines, or all; `timeout` is per machine."""
    machines, missing = recorded_statuses(store, names or store.names(), MachineStatus)
    for _ in query_engines(store, machines, timeout, wanted.question()):
        pass
    why = [*missing, *failures_with_filters(machines, wanted.filters, "container/ls")]
    found = [(one.machine.name, each) for one in machines for each in one.told or ()]
    return Containers(len(machines), sum(one.told is not None for one in machines), found, why)
