"""Names that completion asks an engine or the store for: images, containers and builders."""

from __future__ import annotations

import os
import re

from machinectl.engine import EngineQuery, probe_by
from machinectl.engine.docker_context import current_engine
from machinectl.engine.endpoint import Deadline
from machinectl.errors import MachineError
from machinectl.json_values import as_dict, as_list, as_text
from machinectl.machines.flags import BUILDER, CONTAINER
from machinectl.machines.machine_driver import endpoint_of
from machinectl.machines.store import Store

# Seconds that a Tab may take.
PATIENCE = 2.0
# A word that no shell changes.
UNQUOTED = re.compile(r"[A-Za-z0-9][A-Za-z0-9@:._/-]*")


def asked_names(kind: str, root: str, machine: str) -> list[str]:
    """Return names of a kind, none if nobody answers. Without a machine, images are those of docker's engine."""
    store = Store(root)
    try:
        if kind == BUILDER:
            from machinectl.docker_cli.builders import store_builders
            from machinectl.docker_cli.buildx import Buildx

            names = [builder.name for builder in store_builders(store, Buildx(os.environ))]
        else:
            engine = endpoint_of(store.read_ready(machine)) if machine else current_engine(os.environ)
            path, field = ("/containers/json?all=1", "Names") if kind == CONTAINER else ("/images/json", "RepoTags")
            answer = as_list(probe_by(engine, Deadline(PATIENCE), EngineQuery(path, list)).told)
            names = [as_text(name).removeprefix("/") for row in answer for name in as_list(as_dict(row).get(field))]
    except MachineError:
        return []
    return sorted(name for name in set(names) if UNQUOTED.fullmatch(name))
