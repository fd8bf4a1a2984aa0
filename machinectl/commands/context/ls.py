"""`context ls`: the machines, the docker context of each, and where the two are not in step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.docker_cli.contexts import Contexts
from machinectl.hosts.exports import swarm_contexts
from machinectl.hosts.exports.docker_contexts import context_statuses

if TYPE_CHECKING:
    from collections.abc import Mapping

    from machinectl.hosts.exports.docker_contexts import ContextStatus
    from machinectl.machines.store import Store


@dataclass(frozen=True)
class ContextRow:
    """A machine, a context that a machine of this store has left, or a swarm; `current` where docker here takes it."""

    standing: ContextStatus
    current: bool

    def fields(self) -> dict[str, object]:
        """The row as JSON holds it; `Context` is null where there is none of ours."""
        found = self.standing
        return {
            "Name": found.machine,
            "Context": found.machine if found.is_there else None,
            "Current": self.current,
            "InStep": found.is_settled,
            "Why": found.why,
        }

    def cells(self) -> list[str]:
        """The row as a table shows it: machine, context, whether it is the current one, and how they stand."""
        found = self.standing
        return [found.machine, found.machine if found.is_there else "-", "*" if self.current else "-", found.told]


def context_ls(store: Store, environment: Mapping[str, str]) -> list[ContextRow]:
    """All machines of the store by name, what is left over of those that are gone, and then the store's swarms."""
    docker = Contexts()
    current = docker.current(environment).name
    found = [*context_statuses(docker, store), *swarm_contexts.swarm_context_statuses(docker, store)]
    return [ContextRow(each, each.is_there and each.machine == current) for each in found]
