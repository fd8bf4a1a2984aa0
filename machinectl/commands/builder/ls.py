"""`builder ls`: the builders that machinectl made."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.docker_cli.buildx import Buildx
from machinectl.hosts.exports.builders import BuilderStatus, NodeStep, builder_statuses

if TYPE_CHECKING:
    from machinectl.machines.store import Store


@dataclass(frozen=True)
class BuilderRow:
    status: BuilderStatus

    def fields(self) -> dict[str, object]:
        builder = self.status.builder
        by_node = {each.node.name: each for each in self.status.nodes}
        nodes = [
            {
                "Name": node.name,
                "Machine": node.machine,
                "Platform": node.platform,
                "InStep": node.name in by_node and by_node[node.name].step is NodeStep.NONE,
                "Why": by_node[node.name].why if node.name in by_node else self.status.why,
            }
            for node in builder.nodes
        ]
        return {"Name": builder.name, "Driver": builder.driver, "Nodes": nodes, "Why": self.status.why}

    def cells(self) -> list[str]:
        builder = self.status.builder
        state = "; ".join(self.status.reasons) or "in step"
        return [builder.name, builder.driver, ", ".join(builder.machines), ", ".join(builder.builds), state]


def builder_ls(store: Store) -> list[BuilderRow]:
    return [BuilderRow(status) for status in builder_statuses(store, Buildx(os.environ))]
