"""Names that completion asks an engine or the store for: images, containers and builders."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from machinectl.docker_cli.builders import store_builders
from machinectl.docker_cli.buildx import Buildx
from machinectl.engine import EngineQuery, probe_by
from machinectl.engine.docker_context import current_engine
from machinectl.engine.endpoint import Deadline
from machinectl.errors import MachineError
from machinectl.json_values import as_list
from machinectl.machines.flags import BUILDER, CONTAINER
from machinectl.machines.machine_driver import endpoint_of
from machinectl.machines.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.engine import Endpoint

# Seconds that a Tab may take.
PATIENCE = 2.0
# A word that no shell changes.
UNQUOTED = re.compile(r"[A-Za-z0-9][A-Za-z0-9@:._/-]*")


def asked_names(kind: str, root: str, machine: str) -> list[str]:
    """Return names of a kind, none if nobody answers. Without a machine, images are those of docker's engine."""
    store = Store(root)
    try:
        if kind == BUILDER:
            found = [builder.name for builder in store_builders(store, Buildx(os.environ))]
        else:
            engine = endpoint_of(store.read_ready(machine)) if machine else current_engine(os.environ)
            found = list(container_names(engine) if kind == CONTAINER else image_names(engine))
    except MachineError:
        return []
    return sorted(name for name in set(found) if UNQUOTED.fullmatch(name))


def image_names(engine: Endpoint) -> Iterator[str]:
    for image in listed(engine, "/images/json"):
        yield from (tag for tag in as_list(image.get("RepoTags")) if isinstance(tag, str))


def container_names(engine: Endpoint) -> Iterator[str]:
    for container in listed(engine, "/containers/json?all=1"):
        yield from (name.removeprefix("/") for name in as_list(container.get("Names")) if isinstance(name, str))


def listed(engine: Endpoint, path: str) -> list[dict[str, Any]]:
    found = as_list(probe_by(engine, Deadline(PATIENCE), EngineQuery(path, list)).told)
    return [each for each in found if isinstance(each, dict)]
