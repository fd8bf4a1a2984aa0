"""`push` and `pull`: move an image between engines."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from machinectl.hosts.query_engines import ready_endpoint
from machinectl.images.transfer import transfer

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from machinectl.console import Console
    from machinectl.engine import Endpoint
    from machinectl.errors import MachineError
    from machinectl.images.send import Sent
    from machinectl.images.transfer import Order
    from machinectl.machines.store import Store


def push(
    store: Store, console: Console, names: Sequence[str], order: Order
) -> Generator[tuple[str, Sent | MachineError], None, None]:
    """Yield each machine's result or error."""
    there = [name for name in names if store.exists(name)]
    yield from ((name, store.no_such(name)) for name in names if name not in there)
    if there:
        yield from transfer(console, order, {name: partial(ready_endpoint, store, name) for name in there})


def pull(console: Console, here: Endpoint, order: Order) -> Sent:
    """Fetch the image to the engine `here`. Raises MachineError."""
    [(_, result)] = transfer(console, order, {"": lambda: here})
    if isinstance(result, Exception):
        raise result
    return result
