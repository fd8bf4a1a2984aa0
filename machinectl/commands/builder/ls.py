"""`builder ls`: the builders that machinectl made."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.docker_cli.buildx import Buildx
from machinectl.hosts.exports.builders import Builder, store_builders

if TYPE_CHECKING:
    from machinectl.machines.store import Store


@dataclass(frozen=True)
class BuilderRow:
    builder: Builder

    def fields(self) -> dict[str, object]:
        faults = self.builder.faults
        nodes = [
            {
                "Name": node.name,
                "Machine": node.endpoint,
                "Platforms": list(node.platforms),
                "Why": faults.get(node.endpoint, ""),
            }
            for node in self.builder.nodes
        ]
        return {"Name": self.builder.name, "Nodes": nodes}

    def cells(self) -> list[str]:
        builder = self.builder
        return [builder.name, ", ".join(builder.machines), ", ".join(builder.platforms), builder.state or "ready"]


def builder_ls(store: Store) -> list[BuilderRow]:
    return [BuilderRow(builder) for builder in store_builders(store, Buildx(os.environ))]
