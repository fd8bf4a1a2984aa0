"""`url` and `ip`: engines' addresses."""

from __future__ import annotations

from machinectl import url as engine_url
from machinectl.errors import MachineError
from machinectl.machines.selection import chosen, chosen_one

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.machines.store import Store


def url(store: Store, names: Sequence[str]) -> str:
    return store.read_ready(chosen_one(store, names)).url


def ip(store: Store, names: Sequence[str]) -> list[str]:
    """Raise MachineError for a URL without a host."""
    return [engine_host(store, name) for name in chosen(store, names)]


def engine_host(store: Store, name: str) -> str:
    machine = store.read_ready(name)
    host = engine_url.parse_url(machine.url).host
    if not host:
        raise MachineError(f'Machine "{name}" has no address: its URL is {machine.url}', f"machinectl url {name}")
    return host
