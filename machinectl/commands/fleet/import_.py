"""`fleet import`: a fleet's file, made of an Ansible inventory or an ssh_config."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.fleet.foreign.importing import imported

if TYPE_CHECKING:
    from machinectl.console import Console
    from machinectl.machines.store import Store


def fleet_import(store: Store, console: Console, path: str, kind: str) -> str:
    """The file that is made of another one; what is not in it is said. See `imported`."""
    text, notes = imported(path, kind, store.names())
    for note in notes:
        console.warn(note)
    return text
