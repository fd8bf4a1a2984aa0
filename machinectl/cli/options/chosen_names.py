"""Choose machines by name, --selector or --all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.errors import MachineError, UsageError
from machinectl.machines.record import natural
from machinectl.machines.selection import chosen, selected
from machinectl.machines.store.first_machine import first_step_hint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.cli.options.verb_session import Session


def target_names(here: Session, names: Sequence[str], selector: str | None, *, everything: bool) -> list[str]:
    """Return the chosen machines in natural order."""
    found: Sequence[str]
    if everything:
        if names or selector is not None:
            raise UsageError("--all, and names or --selector, exclude each other", "Leave one of them out")
        if not (found := here.store.names()):
            raise MachineError("There is no machine yet", first_step_hint())
    elif selector is not None:
        found = selected(here.store, here.console, names, selector)
    else:
        try:
            found = chosen(here.store, names)
        except MachineError as exc:
            if here.store.names():
                exc.hint += "; or pass --all or -l <SELECTOR>"
            raise
    return sorted(set(found), key=lambda name: (natural(name), name))
