"""`images`: the images of many machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from machinectl.cli.go.docker_images import image_fields
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

    from machinectl.cli.go.docker_ps import Fields
    from machinectl.errors import MachineError
    from machinectl.machines.store import Store


@dataclass(frozen=True)
class FoundImages:
    """`asked` counts the machines."""

    asked: int
    found: list[tuple[str, Any]]
    failures: list[MachineError]

    def rows(self, *, whole: bool) -> Iterator[tuple[str, Fields]]:
        """Shorten docker's fields unless `whole`."""
        return ((machine, fields) for machine, image in self.found for fields in image_fields(image, whole=whole))


def images(
    store: Store, names: Sequence[str], timeout: float, *, everything: bool = False, filters: Sequence[str] = ()
) -> FoundImages:
    """Query the given machines, or all; `timeout` is per machine. `everything`: intermediate images, too."""
    wanted = docker_filters(filters, "dangling=true")
    asked = {"all": "1" if everything else "", "filters": plain_json(wanted) if wanted else ""}
    query = urlencode({key: value for key, value in asked.items() if value})
    machines, missing = recorded_statuses(store, names or store.names(), MachineStatus)
    for _ in query_engines(store, machines, timeout, EngineQuery(f"/images/json?{query}".rstrip("?"), list)):
        pass
    failures = failures_with_filters(machines, filters, "image/ls")
    found = [(one.machine.name, each) for one in machines for each in one.told or ()]
    return FoundImages(len(machines), found, [*missing, *failures])
