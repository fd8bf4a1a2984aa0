"""Whose machine one of ours was before it was taken over, as its record keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# The drivers of docker-machine's that made no host.
MAKE_NOTHING = frozenset({"none", "generic"})


@dataclass(frozen=True)
class Origin:
    """docker-machine's, of that name, by that driver, in the store at that path."""

    store: str
    name: str
    driver: str

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Origin | None:
        """The origin in a record; None where there is none that can be understood."""
        parts = [each for key in ("store", "name", "driver") if isinstance(each := data.get(key), str)]
        return cls(*parts) if len(parts) == 3 else None  # noqa: PLR2004 - all of them

    def dump(self) -> dict[str, Any]:
        return {"store": self.store, "name": self.name, "driver": self.driver}


def maker(data: Mapping[str, Any]) -> str:
    """The driver that made a host which is nobody's here to start and end, by the origin in a record; else ""."""
    origin = Origin.load(data)
    return origin.driver if origin and origin.driver.isprintable() and origin.driver not in MAKE_NOTHING else ""
