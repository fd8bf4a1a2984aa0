"""Machines whose jump hosts are machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.machines import jump_hosts
from machinectl.machines.selection import waiting
from machinectl.machines.store.machine_store import read_or_none
from machinectl.machines.store.removed_machines import removed_machines, write_removed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from machinectl.console import Console
    from machinectl.machines.store import Store


def behind(store: Store) -> dict[str, list[str]]:
    """Map jump hosts to the machines behind them; skip unreadable records."""
    found: dict[str, list[str]] = {}
    for machine in store.readable():
        if gate := jump_hosts.machine_of(machine.jump):
            found.setdefault(gate, []).append(machine.name)
    return found


def gate_of(store: Store, name: str) -> str:
    """Return the machine's jump host, "" if none or unreadable."""
    machine = read_or_none(store.read, name)
    return jump_hosts.machine_of(machine.jump) if machine else ""


def keep_jump_hosts(store: Store, console: Console) -> None:
    """Add prefixes to jump hosts of earlier versions, before names change.

    No lock may be held.
    """
    for name in store.names():
        if is_untyped(store, name):
            with store.writing(name, waiting(console, name)) as held:
                if is_untyped(store, name):
                    held.write()
    for machine in removed_machines(store):
        if machine.untyped_jump:
            with store.writing(machine.name, waiting(console, machine.name)):
                for there in removed_machines(store):
                    if there.name == machine.name:
                        write_removed(store, there)


def is_untyped(store: Store, name: str) -> bool:
    machine = read_or_none(store.read, name)
    return bool(machine and machine.untyped_jump)


def outermost_first(names: Sequence[str], others: Mapping[str, Sequence[str]]) -> Iterator[list[str]]:
    """Yield groups: each machine comes after those behind it (see `behind`)."""
    left = list(names)
    while left:
        # A loop of jump hosts is one group.
        group = [name for name in left if not set(left).intersection(others.get(name, ()))] or left
        yield group
        left = [name for name in left if name not in group]
