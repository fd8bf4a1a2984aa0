"""Who is behind whom: machines whose SSH goes through another machine's host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from machinectl.machines.store import Store


def behind(store: Store) -> dict[str, list[str]]:
    """By what their SSH goes through next, the machines that are behind it; broken records go through nothing."""
    found: dict[str, list[str]] = {}
    for name in store.names():
        if jump := jump_of(store, name):
            found.setdefault(jump, []).append(name)
    return found


def jump_of(store: Store, name: str) -> str:
    try:
        return store.read(name).jump
    except MachineError:
        return ""


def outermost_first(names: Sequence[str], others: Mapping[str, Sequence[str]]) -> Iterator[list[str]]:
    """Names in groups, so that each comes after those that are behind it, by what `behind` says."""
    left = list(names)
    while left:
        # Those that lead in a circle come together.
        group = [name for name in left if not set(left).intersection(others.get(name, ()))] or left
        yield group
        left = [name for name in left if name not in group]
