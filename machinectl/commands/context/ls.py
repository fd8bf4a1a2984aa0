"""`context ls`: machines and their docker contexts."""

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
    """A machine, swarm or leftover context."""

    standing: ContextStatus
    current: bool

    def fields(self) -> dict[str, object]:
        """`Context` is null unless it is ours."""
        found = self.standing
        return {
            "Name": found.machine,
            "Context": found.machine if found.is_there else None,
            "Current": self.current,
            "InStep": found.is_in_sync,
            "Why": found.why,
        }

    def cells(self) -> list[str]:
        found = self.standing
        return [found.machine, found.machine if found.is_there else "-", "*" if self.current else "-", found.summary]


def context_ls(store: Store, environment: Mapping[str, str]) -> list[ContextRow]:
    """Return machines, then leftover contexts, then swarms."""
    docker = Contexts()
    current = docker.current(environment).name
    found = [*context_statuses(docker, store), *swarm_contexts.swarm_context_statuses(docker, store)]
    return [ContextRow(each, each.is_there and each.machine == current) for each in found]
