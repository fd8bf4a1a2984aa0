"""`url` and `ip`: engines' addresses."""

from __future__ import annotations

from machinectl import url as engine_url
from machinectl.errors import Hint, MachineError
from machinectl.machines.selection import chosen, chosen_one

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.machines.store import Store


def url(store: Store, names: Sequence[str]) -> str:
    return store.read_ready(chosen_one(store, names)).urls[0]


def ip(store: Store, names: Sequence[str]) -> Iterator[tuple[str, str | MachineError]]:
    """Yield each machine's address, or why it has none."""
    for name in chosen(store, names):
        try:
            yield name, engine_host(store, name)
        except MachineError as exc:
            yield name, exc


def engine_host(store: Store, name: str) -> str:
    """Raise MachineError for a URL without a host."""
    machine = store.read_ready(name)
    host = engine_url.parse_url(machine.urls[0]).host
    if not host:
        raise MachineError(
            f'Machine "{name}" has no address: its URL is {machine.url}', Hint("", "machinectl url", name)
        )
    return host
