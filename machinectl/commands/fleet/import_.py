"""`fleet import`: convert an Ansible inventory or ssh_config."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.fleet.importing import Notes, import_file

if TYPE_CHECKING:
    from machinectl.console import Console
    from machinectl.machines.store import Store


def fleet_import(store: Store, console: Console, path: str, kind: str) -> str:
    """Warn about omitted entries."""
    notes = Notes(path)
    try:
        return import_file(path, kind, store.names(), notes)
    finally:
        for note in notes.lines:
            console.warn(note)
