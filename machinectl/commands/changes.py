"""`changes`: a host's changes and how to undo them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from machinectl.errors import one_line
from machinectl.machines.selection import chosen_one
from machinectl.machines.store.removed_machines import removed_machines
from machinectl.provision import firewall
from machinectl.provision.host_changes import PortOpened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.machines.store import Store
    from machinectl.provision.host_changes import Change


@dataclass(frozen=True)
class ChangeRow:
    """`undoing` is what `rm --purge` does."""

    change: Change

    @property
    def undoing(self) -> str:
        if isinstance(self.change, PortOpened) and not firewall.is_our_rule(self.change):
            return "stays: no machinectl has written that record"
        return self.change.undoing

    def fields(self) -> dict[str, Any]:
        """`When` is RFC 3339."""
        kind = self.change.KIND
        done, about = self.change.done, self.change.about
        return {"When": self.change.when or None, "Kind": kind, "About": about, "Done": done, "Undo": self.undoing}

    def cells(self) -> list[str]:
        when = self.change.when.replace("T", " ").removesuffix("Z")
        return [when, one_line(self.change.done), one_line(self.undoing)]


def changes(store: Store, names: Sequence[str]) -> tuple[str, list[ChangeRow]]:
    """Return the changes, oldest first, even of a removed machine."""
    name = names[0] if len(names) == 1 else chosen_one(store, names)
    removed = {} if store.exists(name) else {machine.name: machine for machine in removed_machines(store)}
    machine = removed.get(name) or store.read(name)
    return name, [ChangeRow(change) for change in machine.changes]
