"""The docker-machine machine that a machine was imported from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# docker-machine's drivers that create no hosts.
MAKE_NOTHING = frozenset({"none", "generic"})


@dataclass(frozen=True)
class Origin:
    """Its store's path, name and driver."""

    store: str
    name: str
    driver: str

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Origin | None:
        parts = [each for key in ("store", "name", "driver") if isinstance(each := data.get(key), str)]
        return cls(*parts) if len(parts) == 3 else None  # noqa: PLR2004 - all of them

    def dump(self) -> dict[str, Any]:
        return {"store": self.store, "name": self.name, "driver": self.driver}


def maker(data: Mapping[str, Any]) -> str:
    """Return the docker-machine driver that created the host, else ""."""
    origin = Origin.load(data)
    return origin.driver if origin and origin.driver.isprintable() and origin.driver not in MAKE_NOTHING else ""
